"""The promises on the DRA plane, judged over what was seen. Pure: history and bounds in, checks and violations out."""

from collections.abc import Callable, Mapping, Sequence

from tests.cluster.chaos.dra_offers import as_lists
from tests.cluster.chaos.dra_records import PARTS, card_of
from tests.cluster.chaos.history import Event, Holder, Pods, Sample
from tests.cluster.chaos.judge import not_bad, not_twice
from tests.cluster.chaos.offers import offered_again
from tests.cluster.chaos.tally import Bounds, Tally, Violation

NOT_TWICE = "no PE in containers of two claims at once"
NOT_BAD = "no claim prepared with a card that was busy or bad"
NOT_LOST = "what a living container has stands in the CDI file of a prepared claim"
OFFERED = "every good idle card is in its node's slices with all its parts, without a taint"


def judge_claims(history: Sequence[Event], bounds: Bounds) -> tuple[Tally, ...]:
    """Checks and violations of each promise that can be judged while chaos goes on."""
    samples = [event for event in history if isinstance(event, Sample)]
    claims = _claims(history)
    twice, _ = not_twice([_each_holder(sample, lambda one, _: _as_claim(one, claims)) for sample in samples])
    bad, not_asked = not_bad([_each_holder(sample, _as_prepared) for sample in samples], bounds)
    bad = bad._replace(violations=bad.violations + not_asked.violations)  # nothing is prepared without a driver's look
    offered = offered_again(as_lists(samples), PARTS, bounds)
    return (
        twice._replace(promise=NOT_TWICE),
        bad._replace(promise=NOT_BAD),
        _not_lost(samples),
        Tally(OFFERED, offered.waits, offered.too_long),
    )


def _not_lost(samples: Sequence[Sample]) -> Tally:
    """Whatever became of the driver: its claim would be taken to be unprepared, and others could have its PEs."""
    checks = 0
    violations: dict[tuple[str, str], Violation] = {}
    for sample in samples:
        for holder in sample.holders:
            checks += 1
            for pe in holder.cards:
                if pe not in sample.prepared:
                    what = f"a container of pod {holder.pod} has it and no claim is prepared with it"
                    violations.setdefault((holder.container, pe), Violation(sample.at, sample.node, pe, what))
    return Tally(NOT_LOST, checks, tuple(violations.values()))


def _each_holder(sample: Sample, change: Callable[[Holder, Sample], Holder]) -> Sample:
    return sample._replace(holders=tuple(change(one, sample) for one in sample.holders))


def _claims(history: Sequence[Event]) -> dict[str, str]:
    """Pod's UID to its claim; the pods of chaos have one each. What names none counts as a claim of its own."""
    pods = [pod for event in history if isinstance(event, Pods) for pod in event.pods]
    return {pod.uid: pod.claims[0] for pod in pods if pod.claims}


def _as_claim(holder: Holder, claims: Mapping[str, str]) -> Holder:
    """Whoever shares the claim."""
    return holder._replace(pod=claims.get(holder.pod, holder.pod))


def _as_prepared(holder: Holder, sample: Sample) -> Holder:
    """Handed over when its claim's CDI file was written: a claim's first Prepare is the last look at its cards, however
    much later a container is started with it. A container without such a file was not prepared at all.
    """
    times = [sample.prepared[pe] for pe in holder.cards if pe in sample.prepared]
    cards = tuple(sorted(set(map(card_of, holder.cards))))
    return holder._replace(started_at=max(times, default=holder.started_at), cards=cards)
