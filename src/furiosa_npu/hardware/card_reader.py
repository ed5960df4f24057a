"""One card, read again and again: whole, or what moves of it alone. By one thread at a time."""

from collections.abc import Callable
from typing import NamedTuple

from furiosa_npu.hardware import class_npu_mgmt, class_rngd_mgmt, hwmon
from furiosa_npu.hardware.bus_pci import DEVICES, read_link, read_numa_node, read_root
from furiosa_npu.hardware.devfs import still_there
from furiosa_npu.hardware.driver_file import Files, Trail
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.identity_files import HEARTBEAT, read_heartbeat
from furiosa_npu.hardware.inventory import Found
from furiosa_npu.hardware.reading import Family, Moving, Problem, Reading, Roots


class _Management(NamedTuple):
    """How one family's management folders are read."""

    lasting: Callable[[Facts, Reading], Reading]
    moving: Callable[[Facts, Reading], Moving]


_MANAGEMENT: dict[Family, _Management] = {
    "warboy": _Management(class_npu_mgmt.read_lasting, class_npu_mgmt.read_moving),
    "renegade": _Management(class_rngd_mgmt.read_lasting, class_rngd_mgmt.read_moving),
}


class _Past(NamedTuple):
    """A look at the card."""

    trail: Trail
    """without the heartbeat, which was there and goes on"""
    told: Reading


class CardReader:
    """Reads the card of this family and number. Nothing raises: what is broken stands in the reading's `problems`.

    A card of which nothing changed but its heartbeat, which goes on, is told by the same `Reading` as before, unless a
    `fresh` one is wanted: nobody has to judge it anew.
    """

    def __init__(self, roots: Roots, family: Family, index: int) -> None:
        self.files = Files()
        self._roots = roots
        self._management = _MANAGEMENT[family]
        self._folder = f"{roots.sysfs}/{TRAITS[family].management_folder.format(index=index)}"
        self._found: Found | None = None
        self._lasting = Reading(family, index, management=False)
        self._hwmon = hwmon.NONE
        self._told = self._lasting
        self._heartbeat: int | None = None
        self._stood_still = False
        self._moves = False
        """something else than the heartbeat was another than before at the last look"""
        self._past: dict[bool, _Past] = {}
        """the last look at the card, whole or not; none with what lasted before"""

    def whole(self, found: Found, *, fresh: bool = True) -> Reading:
        """Every fact of the card anew. `found`: what the folders' names told of it."""
        if found is not self._found:
            self._found = found
            self._past.clear()
        return self._look(found, whole=True, fresh=fresh)

    def signs(self, found: Found, *, fresh: bool = True) -> Reading:
        """What moves read anew, the rest as at the last whole look; whole where the folders' names tell of another."""
        if found is not self._found:
            return self.whole(found)
        return self._look(found, whole=False, fresh=fresh)

    def _look(self, found: Found, *, whole: bool, fresh: bool) -> Reading:
        """What tells the same as at the last look of this kind, all but the heartbeat, means the same. Not tried with a
        card that moves."""
        past = None if self._moves else self._past.get(whole)
        if past is not None and self.files.tell_the_same(past.trail):
            problems: list[Problem] = []
            heartbeat = read_heartbeat(Facts(self.files, self._folder, problems))
            if not problems:
                return self._tell(past.told, heartbeat, past.trail, whole=whole, fresh=fresh)
        self.files.trail = trail = Trail()
        reading, heartbeat = self._read(found, whole=whole)
        self.files.trail = None
        if not reading.management:
            self._told, self._heartbeat, self._stood_still, self._moves = reading, None, False, True
            return reading
        beats = f"{self._folder}/{HEARTBEAT}"
        trail = {look: told for look, told in trail.items() if look[1] != beats}
        return self._tell(reading, heartbeat, trail, whole=whole, fresh=fresh)

    def _read(self, found: Found, *, whole: bool) -> tuple[Reading, int | None]:
        """With the heartbeat, which is not told yet."""
        if whole:
            problems = self._read_lasting(found)
            sensors = self._hwmon.sensors
        else:
            problems = list(self._lasting.problems)
            sensors = hwmon.read_hot(self.files, self._hwmon, problems)
        lasting = self._lasting
        if not lasting.management:
            return lasting, None
        moving = self._management.moving(Facts(self.files, self._folder, problems), lasting)
        reading = lasting._replace(
            sensors=sensors,
            error_counters=moving.error_counters,
            alive=moving.alive,
            perf_regs=moving.perf_regs,
            pe_occupancy=moving.pe_occupancy,
            throttle_reasons=moving.throttle_reasons,
            problems=tuple(problems),
        )
        return reading, moving.heartbeat_seconds

    def _read_lasting(self, found: Found) -> list[Problem]:
        """The problems. What was told with other lasting facts is of no use any more."""
        self._past.clear()
        problems = list(found.problems)
        files = still_there(self.files, self._roots.devfs, found.device_files)
        managed = found.managed and self.files.kind(self._folder) is not None
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
        self._lasting = reading._replace(problems=tuple(problems))
        return problems

    def _tell(self, reading: Reading, heartbeat: int | None, trail: Trail, *, whole: bool, fresh: bool) -> Reading:
        """`reading` with this heartbeat, or what was told last where that will do."""
        before, self._heartbeat = self._heartbeat, heartbeat
        goes_on = before is not None and heartbeat is not None and heartbeat > before
        again = goes_on and self._stood_still
        self._stood_still = before is not None and not goes_on
        if reading is not self._told:
            reading = reading._replace(heartbeat_seconds=self._told.heartbeat_seconds)
        self._moves = reading != self._told
        if fresh or again or not goes_on or self._moves:
            self._told = reading._replace(heartbeat_seconds=heartbeat)
        if heartbeat is None:
            self._past.pop(whole, None)  # a problem that the trail does not tell of
        else:
            self._past[whole] = _Past(trail, self._told)
        return self._told
