"""What a run says: its seed, each promise's count, both agents' memory, what was around a violation, and the faults."""

from collections.abc import Sequence
from typing import NamedTuple

from tests.cluster.chaos.dra_records import card_of
from tests.cluster.chaos.ending import GROWTH_KIB, Agent
from tests.cluster.chaos.history import Deed, Event, Pods, Sample
from tests.cluster.chaos.tally import Bounds, Tally, Violation

AROUND_SECONDS = 12.0


class Outcome(NamedTuple):
    """One run of chaos."""

    seed: int
    began: float
    history: tuple[Event, ...]
    tallies: tuple[Tally, ...]
    before: tuple[Agent, ...]
    after: tuple[Agent, ...]
    pods_made: int
    settled_seconds: float

    @property
    def kept(self) -> bool:
        """No promise was broken, and each was put to the test."""
        return all(tally.checks and not tally.violations for tally in self.tallies if tally.blames)


def report(outcome: Outcome, bounds: Bounds) -> str:
    deeds = [event for event in outcome.history if isinstance(event, Deed)]
    begun = [deed for deed in deeds if not deed.heals]
    lines = [f"seed {outcome.seed}: {len(begun)} faults, {outcome.pods_made} pods"]
    lines += ["", f"allowed, in seconds: {bounds._asdict()}", ""]
    for tally in outcome.tallies:
        lines.append(f"{len(tally.violations):4} violations in {tally.checks:7} checks: {tally.promise}")
    lines += ["", f"all well {outcome.settled_seconds:.0f} s after the last fault was healed and the pods were deleted"]
    lines += ["", *memory_lines(outcome.before, outcome.after)]
    for tally in outcome.tallies:
        for violation in tally.violations:
            lines += ["", f"{'VIOLATION of' if tally.blames else 'SEEN'}: {tally.promise}"]
            lines += [f"  {_when(violation.at, outcome.began)} {violation.node} {violation.card}: {violation.what}"]
            lines += [f"    {line}" for line in around(outcome.history, violation, outcome.began)]
    lines += ["", *(deed_line(deed, outcome.began) for deed in deeds)]
    return "\n".join(lines)


def deed_line(deed: Deed, began: float) -> str:
    words = [f"#{deed.number}", "healed" if deed.heals else "struck", deed.kind, deed.node, deed.card, deed.detail]
    return " ".join([_when(deed.at, began), *(word for word in words if word)])


def memory_lines(before: Sequence[Agent], after: Sequence[Agent]) -> list[str]:
    """A line an agent; a process that was killed meanwhile is another one at the end."""
    lines = [f"memory in KiB at the start and at the end; RssAnon may grow by {GROWTH_KIB}"]
    now = {(agent.node, agent.program): agent for agent in after}
    for agent in before:
        end = now.get((agent.node, agent.program))
        if agent.memory is None or end is None or end.memory is None:
            lines.append(f"  {agent.node} {agent.program}: not measured")
            continue
        lines.append(
            f"  {agent.node} {agent.program}: RSS {agent.memory.rss_kib} -> {end.memory.rss_kib}, "
            f"RssAnon {agent.memory.anonymous_kib} -> {end.memory.anonymous_kib}, "
            f"restarts {end.restarts - agent.restarts}"
        )
    return lines


def around(history: Sequence[Event], violation: Violation, began: float) -> list[str]:
    """What happened on the node before it and just after: each change of what was seen."""
    lines: list[str] = []
    last: tuple[object, ...] = ()
    known: dict[str, tuple[str, str, bool]] = {}
    for event in history:
        if not violation.at - AROUND_SECONDS <= event.at <= violation.at + 2:
            continue
        if isinstance(event, Deed):
            if event.node in ("", violation.node):
                lines.append(deed_line(event, began))
        elif isinstance(event, Pods):
            for pod in event.pods:
                now = (pod.phase, pod.reason, pod.ended)
                if pod.node == violation.node and known.get(pod.uid) != now:
                    known[pod.uid] = now
                    ended = " ended" if pod.ended else ""
                    lines.append(f"{_when(event.at, began)} pod {pod.uid} {pod.name} {pod.phase}{ended} {pod.reason}")
        elif event.node == violation.node:
            seen = _seen(event, violation.card, began)
            if seen != last:
                last = seen
                lines.append(f"{_when(event.at, began)} {' | '.join(map(str, seen))}")
    return lines


def _seen(sample: Sample, card: str, began: float) -> tuple[object, ...]:
    """Of a sample what matters for one card, or for the card of a PE."""
    card = card_of(card)
    offered = [resource for resource, cards in sample.offered.items() if card in cards]
    booked = [f"{one.pod} {one.container} {one.resource}" for one in sample.booked if card in one.cards]
    holders = [f"{one.pod} {one.container[:8]}" for one in sample.holders if card in map(card_of, one.cards)]
    return (
        f"kubelet {_since(sample.kubelet_since, began)}",
        f"agent {_since(sample.agent_since, began)}",
        f"checkpoint {_since(sample.checkpoint_at, began)}",
        f"card {sample.cards.get(card, '?') or 'good'}",
        f"offered {offered}",
        f"booked {booked}",
        f"held {holders}",
    )


def _since(at: float | None, began: float) -> str:
    return "none" if at is None else f"of {_when(at, began)}"


def _when(at: float, began: float) -> str:
    return f"{at - began:+.2f}s"
