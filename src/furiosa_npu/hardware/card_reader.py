"""One card, read again and again: whole, or what moves of it alone. By one thread at a time."""

from collections.abc import Callable
from typing import NamedTuple

from furiosa_npu.hardware import class_npu_mgmt, class_rngd_mgmt, hwmon
from furiosa_npu.hardware.bus_pci import DEVICES, read_link, read_numa_node
from furiosa_npu.hardware.devfs import still_there
from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.inventory import Found
from furiosa_npu.hardware.reading import Family, Problem, Reading, Roots, Sensor


class _Management(NamedTuple):
    """How one family's management folders are read."""

    folder: str
    """of one card, below the sysfs root; {index} stands for its number"""
    lasting: Callable[[Facts, Reading], Reading]
    moving: Callable[[Facts, str, Reading], Reading]


_MANAGEMENT: dict[Family, _Management] = {
    "warboy": _Management(class_npu_mgmt.FOLDER, class_npu_mgmt.read_lasting, class_npu_mgmt.read_moving),
    "renegade": _Management(class_rngd_mgmt.FOLDER, class_rngd_mgmt.read_lasting, class_rngd_mgmt.read_moving),
}


class _Lasting(NamedTuple):
    """What the last whole look told that is not read each time."""

    found: Found
    reading: Reading
    sensors: hwmon.Hwmon
    uuid: str | None


class CardReader:
    """Reads the card of this family and number. Nothing raises: what is broken stands in the reading's `problems`."""

    def __init__(self, roots: Roots, family: Family, index: int) -> None:
        self.files = Files()
        self._roots = roots
        self._family = family
        self._management = _MANAGEMENT[family]
        self._folder = f"{roots.sysfs}/{self._management.folder.format(index=index)}"
        self._last: _Lasting | None = None

    def whole(self, found: Found) -> Reading:
        """Every fact of the card anew. `found`: what the folders' names told of it."""
        problems = list(found.problems)
        files = still_there(self.files, self._roots.devfs, found.device_files)
        managed = found.managed and self.files.status(self._folder) is not None
        reading = Reading(found.family, found.index, managed, files)
        if not managed:
            expected = f"the management folder of {reading.name}: the driver has not finished, or the card left the bus"
            problems.append(Problem(self._folder, "no such folder", expected))
        if not files:
            expected = f"device files of {reading.name}: the driver has not finished, or the card left the bus"
            problems.append(Problem(self._roots.devfs, "none", expected))
        sensors = hwmon.NONE
        if managed:
            reading = self._management.lasting(Facts(self.files, self._folder, problems), reading)
        if reading.pci_bdf is not None:
            sysfs, bdf = self._roots.sysfs, reading.pci_bdf
            sensors = hwmon.read_sensors(self.files, f"{sysfs}/{DEVICES}/{bdf}", problems)
            reading = reading._replace(
                numa_node=read_numa_node(self.files, sysfs, bdf, problems),
                pci_link=read_link(self.files, sysfs, bdf, problems),
                sensors=sensors.sensors,
            )
        reading = reading._replace(problems=tuple(problems))
        told = self._moving(reading, reading.sensors)
        self._last = _Lasting(found, reading, sensors, told.uuid)
        return told

    def signs(self, found: Found) -> Reading:
        """What moves read anew, the rest as at the last whole look; whole where the card is not the one of then."""
        last = self._last
        if last is None or found is not last.found:
            return self.whole(found)
        problems: list[Problem] = []
        hot = hwmon.read_hot(self.files, last.sensors, problems) if last.sensors.sensors else ()
        reading = self._moving(last.reading._replace(problems=(*last.reading.problems, *problems)), hot)
        return reading if reading.uuid == last.uuid else self.whole(found)

    def _moving(self, reading: Reading, sensors: tuple[Sensor, ...]) -> Reading:
        if not reading.management:
            return reading
        facts = Facts(self.files, self._folder, list(reading.problems))
        moved = self._management.moving(facts, self._roots.sysfs, reading)
        return moved._replace(sensors=sensors, problems=tuple(facts.problems))
