"""`judge`: from the last verdict, a reading, what is known besides, and the time, to the next verdict."""

from typing import NamedTuple

from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.occupancy import pes_in_use
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.cycle_counters import counters_in_use, next_counters
from furiosa_npu.health.finding import Finding, faults, warnings
from furiosa_npu.health.history import NEW, History, Standing, next_errors, next_heartbeat
from furiosa_npu.health.probation import Trust, after_fault, after_good, proving
from furiosa_npu.health.signs import DEFAULT_BOUNDS, Bounds
from furiosa_npu.health.verdict import UnknownOccupancy, Verdict


class Rules(NamedTuple):
    """What is configured about judging."""

    bounds: Bounds = DEFAULT_BOUNDS
    trust: Trust = Trust()
    unknown_occupancy: UnknownOccupancy = "offer"
    """whether a card whose driver shows no sign of use counts as idle"""


NOTHING_SHOWN = "the driver shows neither device files nor a management folder"


class Circumstances(NamedTuple):
    """What is known of a card besides its reading."""

    held: bool = False
    """a pod that was served here holds it"""
    disabled: str | None = None
    """why it is configured not to be handed out, or None"""
    missing_files: tuple[str, ...] = ()
    """names of device files that are not there and without which it cannot be handed out, e.g. npu0pe0-1"""
    users: tuple[str, ...] = ()
    """processes that have it open, as people are told of them: `process 4711 (python3)`"""
    doubt: str | None = None
    """why it may be another card than the one that it goes for, or None"""
    gone: str = NOTHING_SHOWN
    """why there is no reading of it, where there is none"""


def judge(
    previous: Verdict | None, reading: Reading | None, circumstances: Circumstances, rules: Rules, now: float
) -> Verdict:
    """The verdict at `now` (seconds); `reading` is None for a card of which nothing is there any more."""
    before = NEW if previous is None else previous.history
    history = before._replace(
        counters=next_counters(before.counters, reading, now),
        heartbeat=next_heartbeat(before.heartbeat, reading, now),
        errors=next_errors(before.errors, reading, rules.bounds.get("atr-error", 1.0), now),
    )
    found = _fault(before, history, reading, circumstances, rules, now)
    if found is None and reading is not None and circumstances.doubt is not None:
        found = Finding("unreadable", "identity", circumstances.doubt)
    if found is None and reading is not None:
        standing = after_good(before.standing, rules.trust, now)
        finding = _good(reading, circumstances, history, standing, rules, now)
    else:
        standing = after_fault(before.standing, rules.trust, now, at_first_sight=_is_a_beginning(found))
        finding = found or Finding("gone", "gone", circumstances.gone)
    told_to_its_pod = circumstances.held and found is not None
    if circumstances.disabled is not None and reading is not None and not told_to_its_pod:
        finding = Finding("disabled", "disabled", circumstances.disabled)
    signs = () if reading is None else warnings(reading, rules.bounds)
    history = history._replace(standing=standing)
    if previous is not None and _says_the_same(previous, finding):
        return previous._replace(warnings=signs, history=history)
    return Verdict(finding.state, finding.sign, finding.reason, now, signs, history)


def _says_the_same(previous: Verdict, finding: Finding) -> bool:
    """A reason that tells a value keeps the first: it would be news each second."""
    if (previous.state, previous.sign) != (finding.state, finding.sign):
        return False
    return previous.reason == finding.reason or any(part in previous.reason for part in finding.alike)


def _fault(
    before: History, history: History, reading: Reading | None, circumstances: Circumstances, rules: Rules, now: float
) -> Finding | None:
    if reading is None:
        return None
    return next(faults(reading, circumstances.missing_files, before.heartbeat, history, rules.bounds, now), None)


def _is_a_beginning(found: Finding | None) -> bool:
    """A driver that is half there, or no card yet: where it is the first that is seen, nothing has gone bad."""
    return found is None or found.state == "starting"


def _good(
    reading: Reading, circumstances: Circumstances, history: History, standing: Standing, rules: Rules, now: float
) -> Finding:
    """Of a card without a fault: is it in use, and by whom, and has it proved itself?"""
    in_use = _in_use(reading, circumstances, history, now)
    if not circumstances.held and in_use is True:
        return Finding("occupied", "in-use", _who(circumstances))
    seconds = proving(standing, rules.trust, now)
    if seconds is not None:
        times = "" if standing.flaps == 1 else f" after it went bad {standing.flaps} times"
        return Finding("probation", "probation", f"good again{times}: offered when it has been for {seconds:g} s")
    if circumstances.held:
        return Finding("allocated", "", "")
    if in_use is None and history.counters:
        names = ", ".join(counter.device for counter in history.counters)
        reason = f"perf_regs of {names} can be read, which a PE in use shows: a second reading decides"
        return Finding("starting", "second-reading", reason)
    if in_use is None and rules.unknown_occupancy == "withhold":
        driver = reading.driver_version or "without a version"
        reason = f"occupancy unknown: driver {driver} shows no sign of use (--unknown-occupancy withhold)"
        return Finding("unreadable", "occupancy-unknown", reason)
    return Finding("idle", "", "") if in_use is False else Finding("idle", "occupancy-unknown", "occupancy unknown")


def _in_use(reading: Reading, circumstances: Circumstances, history: History, now: float) -> bool | None:
    """Any sign of use is one; None: there is no sign that says no. That all could be opened says so, too."""
    if circumstances.users or reading.busy:
        return True
    in_use = _shown_in_use(reading, history, now)
    return False if in_use is None and reading.busy == () else in_use


def _shown_in_use(reading: Reading, history: History, now: float) -> bool | None:
    """By the driver's passive signs."""
    if TRAITS[reading.family].occupancy == "perf_regs":
        return counters_in_use(reading, history.counters, now)
    signs = pes_in_use(reading)
    if any(sign is True for sign in signs):
        return True
    return None if not signs or any(sign is None for sign in signs) else False


def _who(circumstances: Circumstances) -> str:
    if circumstances.users:
        return f"in use by {', '.join(circumstances.users)}, which no pod served here accounts for"
    return "in use by a process that no pod served here accounts for"
