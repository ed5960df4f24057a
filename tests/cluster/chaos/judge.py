"""The promises, judged over what was seen. Pure: a history and bounds in, checks and violations out."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tests.cluster.chaos.history import Event, Sample
from tests.cluster.chaos.offers import offered_again
from tests.cluster.chaos.standing import Standing, stand
from tests.cluster.chaos.tally import Bounds, Tally, Violation

NOT_TWICE = "no card in two containers at once"
GIVEN_AWAY = "the kubelet's own: a pod's card given away under the same name while its container lived"
NOT_BAD = "no container started with a card that was busy or bad"
OFFERED = "every good idle card is offered under both names"


def judge(history: Sequence[Event], resources: Iterable[str], bounds: Bounds) -> tuple[Tally, ...]:
    """Checks and violations of each promise that can be judged while chaos goes on."""
    samples = [event for event in history if isinstance(event, Sample)]
    checks, violations = offered_again(history, tuple(resources), bounds)
    twice, given_away = _not_twice(samples)
    return (
        twice,
        given_away,
        _not_bad(samples, bounds),
        Tally(OFFERED, checks, violations),
    )


def _not_twice(samples: Sequence[Sample]) -> tuple[Tally, Tally]:
    """In each sample, the living containers that may open a card are of one pod.

    Told apart: a pod that the kubelet had crossed off its books, and then it gave the card to another under the same
    name. 1.20.2 does so with a pod that is deleted while its init container runs (kubelet_pods.go, notRunning looks at
    app containers alone). A plugin cannot know: under one name it is asked in the same way for an init container's
    card, and is not told for which pod.
    """
    checks = 0
    violations: dict[tuple[str, str, tuple[str, ...]], Violation] = {}
    given_away: dict[tuple[str, str, tuple[str, ...]], Violation] = {}
    booked_as: dict[tuple[str, str], str] = {}
    """(pod, card) to the resource name that the kubelet had last booked it under"""
    for sample in samples:
        booked_as |= {(one.pod, card): one.resource for one in sample.booked for card in one.cards}
        booked = {(one.pod, card) for one in sample.booked for card in one.cards}
        pods_of: dict[str, set[str]] = {}
        for holder in sample.holders:
            for card in holder.cards:
                pods_of.setdefault(card, set()).add(holder.pod)
        checks += len(pods_of)
        for card, pods in pods_of.items():
            if len(pods) > 1:
                found = tuple(sorted(pods))
                what = f"living containers of pods {', '.join(found)} may all open it"
                names = {booked_as.get((pod, card)) for pod in found}
                kubelets_own = (
                    len(names) == 1 and None not in names and sum((pod, card) in booked for pod in found) <= 1
                )
                told = given_away if kubelets_own else violations
                told.setdefault((sample.node, card, found), Violation(sample.at, sample.node, card, what))
    return (
        Tally(NOT_TWICE, checks, tuple(violations.values())),
        Tally(GIVEN_AWAY, checks, tuple(given_away.values()), blames=False),
    )


class _Card(NamedTuple):
    node: str
    uuid: str


def _not_bad(samples: Sequence[Sample], bounds: Bounds) -> Tally:
    """A container's first process was started longer after the card became bad than the last look may be old."""
    checks = 0
    violations: list[Violation] = []
    standings: dict[_Card, Standing] = {}
    known: set[str] = set()
    for sample in samples:
        for uuid, condition in sample.cards.items():
            card = _Card(sample.node, uuid)
            standings[card] = stand(standings.get(card), condition, sample.at)
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
                    violations.append(Violation(sample.at, sample.node, uuid, what))
    return Tally(NOT_BAD, checks, tuple(violations))
