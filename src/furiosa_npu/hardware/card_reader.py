"""One card, read again and again: whole, or what moves of it alone. By one thread at a time."""

from collections.abc import Callable
from typing import NamedTuple

from furiosa_npu.hardware import class_npu_mgmt, class_rngd_mgmt, hwmon
from furiosa_npu.hardware.bus_pci import DEVICES, read_link, read_numa_node, read_root
from furiosa_npu.hardware.devfs import still_there
from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.inventory import Found
from furiosa_npu.hardware.reading import Family, Moving, Problem, Reading, Roots, Sensor


class _Management(NamedTuple):
    """How one family's management folders are read."""

    folder: str
    """of one card, below the sysfs root; {index} stands for its number"""
    lasting: Callable[[Facts, Reading], Reading]
    moving: Callable[[Facts, str, Reading], Moving]


_MANAGEMENT: dict[Family, _Management] = {
    "warboy": _Management(class_npu_mgmt.FOLDER, class_npu_mgmt.read_lasting, class_npu_mgmt.read_moving),
    "renegade": _Management(class_rngd_mgmt.FOLDER, class_rngd_mgmt.read_lasting, class_rngd_mgmt.read_moving),
}


class CardReader:
    """Reads the card of this family and number. Nothing raises: what is broken stands in the reading's `problems`.

    A card of which nothing changed but its heartbeat, which goes on, is told by the same `Reading` as before, unless a
    `fresh` one is wanted: nobody has to judge it anew.
    """

    def __init__(self, roots: Roots, family: Family, index: int) -> None:
        self.files = Files()
        self._roots = roots
        self._management = _MANAGEMENT[family]
        self._folder = f"{roots.sysfs}/{self._management.folder.format(index=index)}"
        self._found: Found | None = None
        self._lasting = Reading(family, index, management=False)
        self._hwmon = hwmon.NONE
        self._told = self._lasting
        self._heartbeat: int | None = None
        self._stood_still = False

    def whole(self, found: Found, *, fresh: bool = True) -> Reading:
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
        self._hwmon = hwmon.NONE
        if managed:
            reading = self._management.lasting(Facts(self.files, self._folder, problems), reading)
        if reading.pci_bdf is not None:
            sysfs, bdf = self._roots.sysfs, reading.pci_bdf
            self._hwmon = hwmon.read_sensors(self.files, f"{sysfs}/{DEVICES}/{bdf}", problems)
            reading = reading._replace(
                numa_node=read_numa_node(self.files, sysfs, bdf, problems),
                pci_root=read_root(self.files, sysfs, bdf),
                pci_link=read_link(self.files, sysfs, bdf, problems),
                sensors=self._hwmon.sensors,
            )
        self._found, self._lasting = found, reading._replace(problems=tuple(problems))
        return self._moved(problems, self._hwmon.sensors, fresh=fresh)

    def signs(self, found: Found, *, fresh: bool = True) -> Reading:
        """What moves read anew, the rest as at the last whole look; whole where the folders' names tell of another."""
        if found is not self._found:
            return self.whole(found)
        problems = list(self._lasting.problems)
        return self._moved(problems, hwmon.read_hot(self.files, self._hwmon, problems), fresh=fresh)

    def _moved(self, problems: list[Problem], sensors: tuple[Sensor, ...], *, fresh: bool) -> Reading:
        lasting = self._lasting
        if not lasting.management:
            self._told, self._heartbeat, self._stood_still = lasting, None, False
            return lasting
        moving = self._management.moving(Facts(self.files, self._folder, problems), self._roots.sysfs, lasting)
        reading = lasting._replace(
            sensors=sensors,
            error_counters=moving.error_counters,
            alive=moving.alive,
            perf_regs=moving.perf_regs,
            pe_occupancy=moving.pe_occupancy,
            throttle_reasons=moving.throttle_reasons,
            problems=tuple(problems),
            heartbeat_seconds=self._told.heartbeat_seconds,
        )
        before, self._heartbeat = self._heartbeat, moving.heartbeat_seconds
        goes_on = before is not None and self._heartbeat is not None and self._heartbeat > before
        again = goes_on and self._stood_still
        self._stood_still = before is not None and not goes_on
        if fresh or again or not goes_on or reading != self._told:
            self._told = reading._replace(heartbeat_seconds=moving.heartbeat_seconds)
        return self._told
