"""The judgement over one card: a state, the reason in words, and since when."""

from typing import Literal, NamedTuple

State = Literal["starting", "idle", "allocated", "occupied", "failed", "unreadable", "disabled", "gone"]
"""starting: the driver is half there · idle: may be handed out · allocated: a pod of ours holds it · occupied: in use,
and not by a pod that was served here · failed: broken · unreadable: cannot be vouched for · disabled: configured so ·
gone: was there and is no more."""

UnknownOccupancy = Literal["offer", "withhold"]


class Counter(NamedTuple):
    """A Warboy's cycle counter (`perf_regs`) over the readings so far."""

    device: str
    cycles: int
    since: float
    """seconds of the clock, when this value was first read"""
    moved: bool
    """it had another value before, and has not stood still for long"""


class Verdict(NamedTuple):
    """What is held of a card; `reason` is empty where there is nothing to say."""

    state: State
    reason: str
    since: float
    """seconds of the clock that `judge` was given, when state or reason last changed"""
    counters: tuple[Counter, ...] = ()
    """the counters that could be read, for the next judgement to compare"""
