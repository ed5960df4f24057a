"""Histories of a node with two cards, of four samples a second, and the counts of checks and violations in them."""

from tests.cluster.chaos.history import Booking, Deed, Event, Holder, Pods, PodSeen, Sample
from tests.cluster.chaos.judge import judge
from tests.cluster.chaos.tally import Bounds

NAMES = ("a/npu", "b/npu")
BOUNDS = Bounds()
BOTH: dict[str, tuple[str, ...]] = dict.fromkeys(NAMES, ("X", "Y"))
GOOD = {"X": "", "Y": ""}


def sample(at: float, **changes: object) -> Sample:
    """All well: kubelet and agent serve since long, both cards good, idle and offered."""
    well = Sample(at, "node", -100.0, -50.0, -10.0, BOTH, (), (), GOOD)
    return well._replace(**changes)  # type: ignore[arg-type]


def over(begin: float, end: float, **changes: object) -> list[Event]:
    """Four samples a second."""
    return [sample(begin + quarter / 4, **changes) for quarter in range(int((end - begin) * 4))]


def counts(history: list[Event], bounds: Bounds = BOUNDS) -> list[tuple[int, int]]:
    """(checks, violations) of: not twice, not bad, offered, not refused."""
    tallies = judge(history, NAMES, bounds)
    return [(tally.checks, len(tally.violations)) for tally in tallies if tally.blames]


def held_by(*pods: str, started_at: float = 0.0, card: str = "X") -> tuple[Holder, ...]:
    return tuple(Holder(pod, f"container of {pod} {started_at}", started_at, (card,)) for pod in pods)


def deed(at: float, kind: str, *, heals: bool = False) -> Deed:
    return Deed(at, at, 0, kind, "node", "", heals)


def pods(at: float, *, phase: str = "Running", requests: int = 1, reason: str = "") -> Pods:
    ended = phase in ("Failed", "Succeeded")
    return Pods(at, (PodSeen("p", "chaos-0", "node", phase, reason, ended, requests),))


BOOKED = {"booked": (Booking("p", "c", "a/npu", ("X",)),), "offered": {"a/npu": ("X", "Y"), "b/npu": ("Y",)}}
"""what a sample shows while the pod of `pods` has X"""
