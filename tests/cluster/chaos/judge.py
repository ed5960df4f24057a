"""The promises, judged over what was seen. Pure: a history and bounds in, checks and violations out."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tests.cluster.chaos.history import Event, Sample
from tests.cluster.chaos.offers import offered_again
from tests.cluster.chaos.standing import Standing, stand
from tests.cluster.chaos.tally import Bounds, Tally, Violation

NOT_TWICE = "no card in two containers at once"
NOT_BAD = "no container started with a card that was busy or bad"
OFFERED = "every good idle card is offered under both names"


def judge(history: Sequence[Event], resources: Iterable[str], bounds: Bounds) -> tuple[Tally, ...]:
    """Checks and violations of each promise that can be judged while chaos goes on."""
    samples = [event for event in history if isinstance(event, Sample)]
    checks, violations = offered_again(history, tuple(resources), bounds)
    return (
        _not_twice(samples),
        _not_bad(samples, bounds),
        Tally(OFFERED, checks, violations),
    )


def _not_twice(samples: Sequence[Sample]) -> Tally:
    """In each sample, the living containers that may open a card are of one pod."""
    checks = 0
    violations: dict[tuple[str, str, tuple[str, ...]], Violation] = {}
    for sample in samples:
        pods_of: dict[str, set[str]] = {}
        for holder in sample.holders:
            for card in holder.cards:
                pods_of.setdefault(card, set()).add(holder.pod)
        checks += len(pods_of)
        for card, pods in pods_of.items():
            if len(pods) > 1:
                found = tuple(sorted(pods))
                what = f"living containers of pods {', '.join(found)} may all open it"
                violations.setdefault((sample.node, card, found), Violation(sample.at, sample.node, card, what))
    return Tally(NOT_TWICE, checks, tuple(violations.values()))


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
