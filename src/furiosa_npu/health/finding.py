"""What is the matter with a card at this moment, whatever it was before: the worst that can be said. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.reading import Problem, Reading, peak_temperature
from furiosa_npu.health.history import Heartbeat, History, growing, went_back
from furiosa_npu.health.signs import Bounds
from furiosa_npu.health.verdict import State, WarningSign

THROTTLE_REASONS = {
    0x1: "idle",
    0x2: "thermal slowdown",
    0x4: "app power cap",
    0x8: "app clock cap",
    0x10: "hw clock cap",
    0x20: "hw bus limit",
    0x40: "hw power cap",
    0x80: "governor clock cap",
    0x100: "other",
}
"""Renegade's `throttle_reason`, bit by bit"""


class Finding(NamedTuple):
    """What is the matter, as a `Verdict` says it.

    By the bound that was crossed and not by the value that moves: a card that flaps is told in the same words again.
    """

    state: State
    sign: str
    reason: str
    alike: tuple[str, ...] = ()
    """of which a reason that says the same has one, whatever value it tells; none: the reason as a whole"""


def faults(
    reading: Reading,
    missing_files: tuple[str, ...],
    before: Heartbeat,
    history: History,
    bounds: Bounds,
    now: float,
) -> Iterator[Finding]:
    """The fatal signs that `reading` shows, the worst first; `before` is the heartbeat of the last judgement, and
    `missing_files` are those without which the card cannot be handed out.

    What `bounds` does not have is turned off.
    """
    if reading.unanswered is not None:
        reason = f"no answer from {reading.unanswered} in {bounds['no-answer']:g} s: the driver hangs"
        yield Finding("unreadable", "no-answer", reason, ("no answer from ",))
    # What has no device file is not handed out whatever is turned off.
    half = "missing" in bounds and not reading.management
    if reading.index is None or not reading.device_files or half:
        yield Finding("starting", "missing", _half_there(reading))
    if "not-alive" in bounds and reading.alive is False:
        file = TRAITS[reading.family].alive_file
        reason = f"not alive: the driver's file {file} says that the card does not run"
        yield Finding("failed", "not-alive", reason)
    if "heartbeat-reset" in bounds and went_back(before.seconds, reading):
        yield Finding("failed", "heartbeat-reset", "the heartbeat went back: the card was reset")
    heartbeat = history.heartbeat
    if "heartbeat-stopped" in bounds and heartbeat.moved and heartbeat.seconds is not None:
        patience = bounds["heartbeat-stopped"]
        if now - heartbeat.since >= patience:
            reason = f"the heartbeat stands still for {patience:g} s: the firmware hangs"
            yield Finding("failed", "heartbeat-stopped", reason, ("the heartbeat stands still ",))
    names = growing(history.errors, now) if "atr-error" in bounds else ()
    if names:
        reason = f"errors are counted: {', '.join(names)} (atr_error)"
        still = tuple(f"{a}{name}{z}" for name in names for a in (": ", ", ") for z in (", ", " (atr_error)"))
        yield Finding("failed", "atr-error", reason, still)
    if "temperature" in bounds:
        yield from _too_hot(reading, bounds["temperature"])
    if "malformed" in bounds and reading.problems:
        more = f" (and {len(reading.problems) - 1} more)" if len(reading.problems) > 1 else ""
        problem = reading.problems[0]
        yield Finding("unreadable", "malformed", f"{problem}{more}", (_kind(problem),))
    if "missing" in bounds and missing_files:
        reason = f"device file {', '.join(missing_files)} is not there: the driver has not finished"
        yield Finding("starting", "missing", reason)


def warnings(reading: Reading, bounds: Bounds) -> tuple[WarningSign, ...]:
    """The signs that keep no card back."""
    told = []
    link = reading.pci_link
    if "pcie-link" in bounds and link is not None:
        if link.width is not None and link.max_width is not None and link.width < link.max_width:
            told.append(WarningSign("pcie-link", f"the PCIe link is x{link.width} wide, expected x{link.max_width}"))
        if link.speed_gts is not None and link.max_speed_gts is not None and link.speed_gts < link.max_speed_gts:
            text = f"the PCIe link runs at {link.speed_gts:g} GT/s, expected {link.max_speed_gts:g}"
            told.append(WarningSign("pcie-link", text))
    if "throttling" in bounds and reading.throttle_reasons is not None:
        bits = reading.throttle_reasons & int(bounds["throttling"])
        if bits:
            known = [name for bit, name in THROTTLE_REASONS.items() if bits & bit]
            told.append(WarningSign("throttling", f"the card is slowed down: {', '.join(known) or hex(bits)}"))
    return tuple(told)


def _half_there(reading: Reading) -> str:
    if reading.problems:
        return str(reading.problems[0])
    if not reading.management:
        return "no management folder: the driver has not finished, or the card dropped off the bus"
    return "no device files: the driver has not finished"


def _kind(problem: Problem) -> str:
    """How a reason begins that tells of the same: up to the first value that the file holds."""
    before, value, _ = problem.found.partition("'")
    return f"{problem.path}: found {before}" + (value or ",")


def _too_hot(reading: Reading, bound_celsius: float) -> Iterator[Finding]:
    peak = peak_temperature(reading.sensors)
    told: dict[str, str] = {}
    for sensor in reading.sensors:
        critical = sensor.critical if sensor.critical is not None and sensor.critical > 0 else None
        if sensor.kind != "temp" or (critical is None and sensor is not peak):
            continue
        limit = critical / 1000 if critical is not None else bound_celsius
        if sensor.value / 1000 > limit:
            whose = "its critical value" if critical is not None else "the bound"
            told.setdefault(f"sensor {sensor.label} is over ", f"{whose} of {limit:g} °C")
    for sensor_is_over, bound in told.items():
        yield Finding("failed", "temperature", sensor_is_over + bound, tuple(told))
