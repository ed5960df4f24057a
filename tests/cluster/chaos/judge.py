"""The promises, judged over what was seen. Pure: a history and bounds in, checks and violations out."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from tests.cluster.chaos.history import Event, Sample
from tests.cluster.chaos.offers import NEVER, offered_again
from tests.cluster.chaos.standing import Standing, stand
from tests.cluster.chaos.tally import Bounds, Tally, Violation

NOT_TWICE = "no card in two containers at once"
GIVEN_AWAY = "the kubelet's own: a pod's card crossed off its books and given away while its container lived"
NOT_BAD = "no container started with a card that was busy or bad"
NOT_ASKED = "the kubelet's own: a container started with a bad card as the kubelet came back, and the plugin not asked"
OFFERED = "every good idle card is offered under both names"
NOT_REFUSED = "no pod was refused a good idle card"


def judge(history: Sequence[Event], resources: Iterable[str], bounds: Bounds) -> tuple[Tally, ...]:
    """Checks and violations of each promise that can be judged while chaos goes on."""
    samples = [event for event in history if isinstance(event, Sample)]
    offered = offered_again(history, tuple(resources), bounds)
    twice, given_away = not_twice(samples)
    started, not_asked = not_bad(samples, bounds)
    return (
        twice,
        given_away,
        started,
        not_asked,
        Tally(OFFERED, offered.waits, offered.too_long),
        Tally(NOT_REFUSED, started.checks + offered.refusals, offered.false),
    )


def not_twice(samples: Sequence[Sample]) -> tuple[Tally, Tally]:
    """In each sample, the living containers that may open a card are of one pod.

    Told apart: a pod that the kubelet had crossed off its books before it gave the card to another. 1.20.2 does so with
    a pod that is deleted while its init container runs or its app container starts (kubelet_pods.go, notRunning looks
    at app containers alone). A plugin cannot know: it has no other word on who holds a card that is not open.
    """
    checks = 0
    violations: dict[tuple[str, str, tuple[str, ...]], Violation] = {}
    given_away: dict[tuple[str, str, tuple[str, ...]], Violation] = {}
    booked_at: dict[tuple[str, str], tuple[float, float]] = {}
    """(pod, card) to when the kubelet's books had that first and last"""
    for sample in samples:
        for booked in {(one.pod, card) for one in sample.booked for card in one.cards}:
            booked_at[booked] = booked_at.get(booked, (sample.at, sample.at))[0], sample.at
        pods_of: dict[str, set[str]] = {}
        for holder in sample.holders:
            for card in holder.cards:
                pods_of.setdefault(card, set()).add(holder.pod)
        checks += len(pods_of)
        for card, pods in pods_of.items():
            if len(pods) > 1:
                found = tuple(sorted(pods))
                what = f"living containers of {', '.join(found)} may all open it"
                times = sorted(booked_at.get((pod, card), (NEVER, NEVER)) for pod in found)
                in_turn = all(before[1] < after[0] for before, after in pairwise(times))
                told = given_away if in_turn and NEVER not in times[0] else violations
                told.setdefault((sample.node, card, found), Violation(sample.at, sample.node, card, what))
    return (
        Tally(NOT_TWICE, checks, tuple(violations.values())),
        Tally(GIVEN_AWAY, checks, tuple(given_away.values()), blames=False),
    )


class _Card(NamedTuple):
    node: str
    uuid: str


class _Return(NamedTuple):
    """Of a node's kubelet and plugin to each other, after the kubelet was stopped, killed or away."""

    kubelet_since: float | None = None
    at: float | None = None
    """both were there again; None: not yet"""

    def after(self, sample: Sample) -> "_Return":
        if sample.kubelet_since is None:
            return _Return()
        known = self if sample.kubelet_since == self.kubelet_since else _Return(sample.kubelet_since)
        return known._replace(at=sample.at) if known.at is None and sample.agent_since is not None else known


def not_bad(samples: Sequence[Sample], bounds: Bounds) -> tuple[Tally, Tally]:
    """A container's first process was started longer after the card became bad than the last look may be old. It became
    so at the latest when it was first read to be: a sample may take long where the machine is busy.

    Told apart: one that was started while the kubelet and the plugin had not found each other yet, or had just done so.
    1.20.2 starts containers of pods that it has admitted before without `PreStartContainer` until the plugin is
    registered anew; and one that is stopped between the plugin's answer and the start goes on with what it was told.
    """
    checks = 0
    violations: list[Violation] = []
    not_asked: list[Violation] = []
    standings: dict[_Card, Standing] = {}
    returns: dict[str, _Return] = {}
    known: set[str] = set()
    for sample in samples:
        returned = returns[sample.node] = returns.get(sample.node, _Return()).after(sample)
        read_at = sample.at if sample.read_at is None else sample.read_at
        for uuid, condition in sample.cards.items():
            card = _Card(sample.node, uuid)
            standings[card] = stand(standings.get(card), condition, read_at, sample.agent_since)
        for holder in sample.holders:
            if holder.container in known:
                continue
            known.add(holder.container)
            for uuid in holder.cards:
                checks += 1
                standing = standings.get(_Card(sample.node, uuid))
                since = standing.bad_since if standing is not None else None
                if standing is not None and since is not None and since < holder.started_at - bounds.last_look_seconds:
                    what = (
                        f"{', '.join(standing.words)} for {holder.started_at - since:.1f} s when a container of pod "
                        f"{holder.pod} was started with it"
                    )
                    asked = returned.at is not None and returned.at + bounds.slack_seconds <= holder.started_at
                    told = violations if asked else not_asked
                    told.append(Violation(sample.at, sample.node, uuid, what))
    return Tally(NOT_BAD, checks, tuple(violations)), Tally(NOT_ASKED, checks, tuple(not_asked), blames=False)
