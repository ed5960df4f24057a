"""When to look at the node's NPUs: soon after something came or went, else after the re-scan period. Pure."""

from typing import NamedTuple

SETTLE_SECONDS = 0.2
"""a driver that loads makes twenty files a card: one look when it has been quiet for so long"""

LONGEST_SETTLE_SECONDS = 2.0
"""but no later than this after the first of them, be it quiet or not"""

POLL_SECONDS = 5.0
"""between two looks where no event tells of what is waited for: no inotify watch is left, or claims are to go"""


class Rescan(NamedTuple):
    """The next look. Times are by the caller's clock, in seconds."""

    at: float
    first_event: float | None = None
    """since the last look"""


def after_event(rescan: Rescan, now: float) -> Rescan:
    """Something came or went."""
    first = now if rescan.first_event is None else rescan.first_event
    return Rescan(min(now + SETTLE_SECONDS, first + LONGEST_SETTLE_SECONDS), first)


def after_look(now: float, rescan_seconds: float, *, watching: bool) -> Rescan:
    """A look was taken; without a watch the next one comes soon."""
    return Rescan(now + (rescan_seconds if watching else min(rescan_seconds, POLL_SECONDS)))
