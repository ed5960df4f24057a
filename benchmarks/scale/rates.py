"""Requests per second of a phase of the run: in all and at its busiest, by verb and resource. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.scale.audit import Asked
from benchmarks.table import percentile

LONG_SECONDS = 10.0


class Phase(NamedTuple):
    """A stretch of the run, from `begin` to `end`, in seconds since 1970."""

    name: str
    begin: float
    end: float
    settled_seconds: float | None = None
    """after its begin all nodes were as wanted; None: that is no question here"""


class Rate(NamedTuple):
    """Of one kind of request, or of all."""

    requests: int
    peak: int
    """the most within one second, wherever that begins"""
    long_peak: int
    """the most within ten seconds"""


class Load(NamedTuple):
    """What the API server saw in one phase."""

    phase: Phase
    total: Rate
    by_kind: dict[str, Rate]
    """by verb and resource"""
    p99_seconds: float
    """from its coming to its answer; 0 where there was none"""
    failed: int
    """answered with 4xx or 5xx"""

    @property
    def seconds(self) -> float:
        return self.phase.end - self.phase.begin


def load(phase: Phase, asked: Iterable[Asked]) -> Load:
    """`asked`: of the whole run, by time."""
    within = [one for one in asked if phase.begin <= one.at < phase.end]
    kinds = sorted({one.what for one in within})
    return Load(
        phase,
        _rate([one.at for one in within]),
        {kind: _rate([one.at for one in within if one.what == kind]) for kind in kinds},
        percentile([one.seconds for one in within], 0.99) if within else 0.0,
        sum(one.status >= 400 for one in within),
    )


def peak(times: Sequence[float], seconds: float) -> int:
    """The most of the times, which rise, that lie within so many seconds, the end excluded."""
    most = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _rate(times: Sequence[float]) -> Rate:
    return Rate(len(times), peak(times, 1.0), peak(times, LONG_SECONDS))
