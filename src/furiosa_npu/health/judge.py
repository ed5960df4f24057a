"""`judge`: from the last verdict, a reading, what is handed out and the time, to the next verdict."""

from collections.abc import Sequence
from typing import NamedTuple

from furiosa_npu.hardware.occupancy import pes_in_use
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.cycle_counters import count, counters_in_use
from furiosa_npu.health.verdict import Counter, State, UnknownOccupancy, Verdict


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
    counters = () if reading is None else count(previous, reading, now)
    state, reason = _state(reading, circumstances, counters, now)
    if previous is not None and (previous.state, previous.reason) == (state, reason):
        return previous._replace(counters=counters)
    return Verdict(state, reason, now, counters)


def _state(
    reading: Reading | None, circumstances: Circumstances, counters: tuple[Counter, ...], now: float
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
    return _use(reading, circumstances, counters, now)


def _half_there(reading: Reading) -> str:
    if reading.problems:
        return str(reading.problems[0])
    if not reading.management:
        return "no management folder: the driver has not finished, or the card dropped off the bus"
    return "no device files: the driver has not finished"


def _use(
    reading: Reading, circumstances: Circumstances, counters: tuple[Counter, ...], now: float
) -> tuple[State, str]:
    in_use = counters_in_use(reading, counters, now) if reading.family == "warboy" else _flags_in_use(reading)
    if circumstances.held:
        return "allocated", ""
    if in_use is True:
        return "occupied", "in use by a process that no pod served here accounts for"
    if in_use is None and counters:
        names = ", ".join(counter.device for counter in counters)
        return "starting", f"perf_regs of {names} can be read, which a PE in use shows: a second reading decides"
    if in_use is None and circumstances.unknown_occupancy == "withhold":
        driver = reading.driver_version or "without a version"
        return "unreadable", f"occupancy unknown: driver {driver} shows no sign of use (--unknown-occupancy withhold)"
    return "idle", "" if in_use is False else "occupancy unknown"


def _flags_in_use(reading: Reading) -> bool | None:
    signs = pes_in_use(reading)
    if any(sign is True for sign in signs):
        return True
    return None if not signs or any(sign is None for sign in signs) else False
