"""Good news counts after it has held for a while, longer each time a card flaps. Pure."""

from typing import NamedTuple

from furiosa_npu.health.history import Standing

_MOST_DOUBLINGS = 32


class Trust(NamedTuple):
    """How long a card that was bad has to be good before it is believed."""

    first_seconds: float = 1.0
    """the first time; doubled each time it goes bad again"""
    longest_seconds: float = 300.0
    quiet_seconds: float = 3600.0
    """after so long without a fault, what was is forgotten"""


def after_fault(before: Standing, trust: Trust, now: float, *, at_first_sight: bool) -> Standing:
    """The card is bad now. `at_first_sight`: of a card that was never good, this is no fault but a beginning."""
    if not before.good_before and before.bad_at is None and at_first_sight:
        return before
    if before.bad_at is not None and before.good_since is None:
        return before  # it was bad all the time
    flaps = 0 if _is_forgotten(before, trust, now) else before.flaps
    return Standing(before.good_before, flaps + 1, bad_at=now, good_since=None)


def after_good(before: Standing, trust: Trust, now: float) -> Standing:
    """The card is good now, in use or not."""
    if before.bad_at is not None and before.good_since is None:
        return before._replace(good_before=True, bad_at=now, good_since=now)
    return Standing(good_before=True) if before.bad_at is None or _is_forgotten(before, trust, now) else before


def proving(standing: Standing, trust: Trust, now: float) -> float | None:
    """How long its probation is in all, in seconds; None where it is not on probation."""
    if standing.bad_at is None or standing.good_since is None:
        return None
    doublings = min(standing.flaps - 1, _MOST_DOUBLINGS)
    seconds: float = min(trust.first_seconds * 2.0**doublings, trust.longest_seconds)
    return seconds if now - standing.good_since < seconds else None


def _is_forgotten(standing: Standing, trust: Trust, now: float) -> bool:
    return standing.bad_at is not None and now - standing.bad_at >= trust.quiet_seconds
