"""What is remembered of a card from one judgement to the next. Pure."""

from typing import NamedTuple

from furiosa_npu.hardware.reading import Reading

GROWTH_SECONDS = 1.5
"""An error counter that grew counts as growing for so long: longer than a cycle of one second, shorter than two."""
COUNTED_SECONDS = 0.9
"""What an error counter grows by is added up for so long: looks come sooner than a cycle while a card waits for a
second reading. A little less than a second, since a cycle may come a little early."""
STANDSTILL_SECONDS = 10.0
"""A heartbeat that moved and has stood still for so long is one that stands still. Less is none: of a card in peace it
is told every five seconds."""


class Counter(NamedTuple):
    """A Warboy's cycle counter (`perf_regs`) over the readings so far."""

    device: str
    cycles: int
    since: float
    """seconds of the clock, when this value was first read"""
    moved: bool
    """it had another value before, and has not stood still for long"""


class Heartbeat(NamedTuple):
    """The `heartbeat` over the readings so far."""

    seconds: int | None
    """its last value; None: not read since the card came"""
    since: float
    """when that was first read"""
    moved: bool
    """seen to move since the machine started: only then does standing still say something"""
    stands_still: bool = False
    """it moved, and has not for STANDSTILL_SECONDS: since when must not be forgotten, whatever else is said of the
    card"""


class Errors(NamedTuple):
    """`atr_error` over the readings so far."""

    totals: tuple[tuple[str, int], ...] = ()
    """its lines at the last reading"""
    counted: tuple[tuple[str, tuple[float, int]], ...] = ()
    """the counters of errors that grew: since when it is added up, and by how much"""
    grew: tuple[tuple[str, float], ...] = ()
    """the counters of errors that grew, and reached the bound with it, and when they last did"""


class Standing(NamedTuple):
    """How far a card that was bad is believed again."""

    good_before: bool = False
    """seen good once"""
    flaps: int = 0
    """how often it went bad, without a quiet hour between; 0: nothing to prove"""
    bad_at: float | None = None
    """when it was last bad; while it is, when it went bad"""
    good_since: float | None = None
    """since when it is good again without a break; None: it is bad now, or was never bad"""


class History(NamedTuple):
    """All of it, for one card."""

    counters: tuple[Counter, ...] = ()
    heartbeat: Heartbeat = Heartbeat(None, 0.0, moved=False)
    errors: Errors = Errors()
    standing: Standing = Standing()


NEW = History()
"""Of a card that was never seen."""


def went_back(seconds: int | None, reading: Reading) -> bool:
    """The heartbeat, from the value that it had before; None: not known."""
    return seconds is not None and reading.heartbeat_seconds is not None and reading.heartbeat_seconds < seconds


def next_heartbeat(before: Heartbeat, reading: Reading | None, now: float) -> Heartbeat:
    """A card that is not there, or half, has no heartbeat; that it moved before stays known. Where the driver does not
    answer, nothing new is known."""
    if reading is None or not reading.management:
        return before if reading is not None and reading.unanswered else Heartbeat(None, now, before.moved)
    value = reading.heartbeat_seconds
    if value is None or value == before.seconds:
        known = before.moved and before.seconds is not None
        return before._replace(stands_still=known and now - before.since >= STANDSTILL_SECONDS)
    return Heartbeat(value, now, before.moved or before.seconds is not None)


def next_errors(before: Errors, reading: Reading | None, bound: float, now: float) -> Errors:
    """Only lines whose names end in `Error` count errors. One that goes back, or is new, has not grown."""
    if reading is None or not reading.management:
        return Errors()
    if not reading.error_counters or reading.error_counters == before.totals:
        return before
    known, counted, grew = dict(before.totals), dict(before.counted), dict(before.grew)
    for name, total in reading.error_counters:
        more = total - known.get(name, total)
        if not name.endswith("Error") or more <= 0:
            continue
        since, count = counted.get(name, (now, 0))
        counted[name] = (since, count + more) if now - since < COUNTED_SECONDS else (now, more)
        if counted[name][1] >= bound:
            grew[name] = now
    return Errors(reading.error_counters, tuple(counted.items()), tuple(grew.items()))


def growing(errors: Errors, now: float) -> tuple[str, ...]:
    """The names of those that grow."""
    return tuple(name for name, at in errors.grew if now - at < GROWTH_SECONDS)
