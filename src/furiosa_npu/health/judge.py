"""`judge`: from the last verdict, a reading, what is handed out and the time, to the next verdict."""

from collections.abc import Sequence
from typing import NamedTuple

from furiosa_npu.hardware.occupancy import pes_in_use
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.verdict import State, UnknownOccupancy, Verdict


class Circumstances(NamedTuple):
    """What is known of a card besides its reading."""

    held: bool
    """a pod that was served here holds it"""
    disabled: str | None
    """why it is configured not to be handed out, or None"""
    unknown_occupancy: UnknownOccupancy
    """whether a card whose driver shows no sign of use counts as idle"""
    required_files: Sequence[str]
    """names of the device files without which it cannot be handed out, e.g. npu0pe0-1"""


def judge(previous: Verdict | None, reading: Reading | None, circumstances: Circumstances, now: float) -> Verdict:
    """The verdict at `now` (seconds); `reading` is None for a card of which nothing is there any more."""
    cycles = () if reading is None else _cycles(reading)
    state, reason = _state(previous, reading, circumstances, cycles)
    if previous is not None and (previous.state, previous.reason) == (state, reason):
        return previous._replace(cycles=cycles)
    return Verdict(state, reason, now, cycles)


def _state(
    previous: Verdict | None,
    reading: Reading | None,
    circumstances: Circumstances,
    cycles: tuple[tuple[str, int], ...],
) -> tuple[State, str]:
    if reading is None:
        return "gone", "the driver shows neither device files nor a management folder, and PCI has no such device"
    if circumstances.disabled is not None:
        return "disabled", circumstances.disabled
    if not reading.management or not reading.device_files:
        return "starting", _half_there(reading)
    if reading.problems:
        more = f" (and {len(reading.problems) - 1} more)" if len(reading.problems) > 1 else ""
        return "unreadable", f"{reading.problems[0]}{more}"
    if reading.alive is False:
        return "failed", "not alive: the driver says that the card does not run"
    there = {file.name for file in reading.device_files}
    missing = [name for name in circumstances.required_files if name not in there]
    if missing:
        return "starting", f"device file {', '.join(missing)} is not there: the driver has not finished"
    return _use(previous, reading, circumstances, cycles)


def _half_there(reading: Reading) -> str:
    if reading.problems:
        return str(reading.problems[0])
    if not reading.management:
        return "no management folder: the driver has not finished, or the card dropped off the bus"
    return "no device files: the driver has not finished"


def _use(
    previous: Verdict | None,
    reading: Reading,
    circumstances: Circumstances,
    cycles: tuple[tuple[str, int], ...],
) -> tuple[State, str]:
    in_use = _in_use(previous, reading, cycles)
    if circumstances.held:
        return "allocated", ""
    if in_use is True:
        return "occupied", "in use by a process that no pod served here accounts for"
    if in_use is None and cycles:
        names = ", ".join(name for name, _ in cycles)
        return "starting", f"perf_regs of {names} can be read, which a PE in use shows: a second reading decides"
    if in_use is None and circumstances.unknown_occupancy == "withhold":
        driver = reading.driver_version or "without a version"
        return "unreadable", f"occupancy unknown: driver {driver} shows no sign of use (--unknown-occupancy withhold)"
    return "idle", "" if in_use is False else "occupancy unknown"


def _in_use(previous: Verdict | None, reading: Reading, cycles: tuple[tuple[str, int], ...]) -> bool | None:
    """True, False, or None: no sign yet. A Warboy's open `perf_regs` counts once its cycle counter moved."""
    if reading.family == "warboy":
        before = dict(previous.cycles) if previous is not None else {}
        if any(name in before and before[name] != count for name, count in cycles):
            return True
        return None if any(name not in before for name, _ in cycles) else False
    signs = pes_in_use(reading)
    if any(sign is True for sign in signs):
        return True
    return None if not signs or any(sign is None for sign in signs) else False


def _cycles(reading: Reading) -> tuple[tuple[str, int], ...]:
    return tuple((regs.device, regs.cycles) for regs in reading.perf_regs if regs.cycles is not None)
