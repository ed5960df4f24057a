"""The promise that every good idle card is offered again and not refused, judged by the kubelet's own record."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.cluster.chaos.history import Deed, Event, Pods, PodSeen, Sample
from tests.cluster.chaos.pod_ends import pod_ends
from tests.cluster.chaos.refused import Refusals
from tests.cluster.chaos.standing import Standing, probation_seconds, stand
from tests.cluster.chaos.tally import Bounds, Violation

LONGEST_GAP_SECONDS = 1.0
"""Between two samples of a node; what was not seen for longer is not judged: the wait begins anew."""
SEEN_SECONDS = 1.5
"""By when a pod that is there is seen: all are looked at once a second."""
LACKING_SAMPLES = 2
NEVER = float("-inf")


class _Node:
    """What is known of a node while its history is gone through."""

    def __init__(self) -> None:
        self.last_at: float | None = None
        self.connected_with: tuple[float, float] | None = None
        """which kubelet and which agent, by when they came"""
        self.kubelet_since: float | None = None
        """which kubelet was seen last"""
        self.lost_at: float | None = None
        """when it was first seen no more; None: it is there"""
        self.list_due_after = NEVER
        """the agent had to register anew: an older checkpoint says nothing, and a newer one has to come"""
        self.disk_full = False
        self.unwritten_until = NEVER
        """the kubelet could not write: an older checkpoint says nothing, and nothing makes a newer one come"""
        self.given_up_until = NEVER
        """an answered Allocate may be waited for that the kubelet never wrote down"""
        self.booked_from: dict[str, float] = {}
        """card to since when it is in the kubelet's books without a break"""
        self.glimpsed_until: dict[str, float] = {}
        """card to when what was in the books too shortly is given up"""
        self.standings: dict[str, Standing] = {}
        self.agent_at = NEVER
        """when an agent was seen last"""
        self.seen_good: dict[str, tuple[float, float]] = {}
        """card to when its agent could first see that it is good, and which agent that was"""
        self.waits: dict[str, float] = {}
        """card to since when all is there for it to be offered"""
        self.judged: set[str] = set()
        self.suspected: list[Violation] = []
        """violations, unless the next look at the pods shows one that failed after the plugin had answered it"""
        self.lacking: dict[str, int] = {}
        """card to the number of samples, one after the other, in which it should have been offered and was not"""
        self.refusals = Refusals()

    def begin_anew(self, cards: Sequence[str] | None = None) -> None:
        for card in list(self.waits) if cards is None else cards:
            self.waits.pop(card, None)
            self.judged.discard(card)
            self.lacking.pop(card, None)


class Judged(NamedTuple):
    """Checks and violations."""

    waits: int
    too_long: tuple[Violation, ...]
    refusals: int
    false: tuple[Violation, ...]


def offered_again(history: Sequence[Event], resources: Sequence[str], bounds: Bounds) -> Judged:
    """How many waits were checked, and those that were too long; how many refusals, and those of cards that had to be
    offered.

    A wait begins when kubelet and agent serve, the card is good, and no pod holds it; what ends one of these ends the
    wait. It may last the promised time, and from the moment that the card became good its probation besides. From then
    on the card is offered in each sample as long as the wait goes on; one sample without it may have been taken in the
    instant before the record knew of a fault, a second one not. The pods are looked at less often than the nodes: one
    that failed after its `Allocate` was answered is seen a little later than its card is missing.
    """
    ends = pod_ends(history)
    nodes: dict[str, _Node] = {}
    checks = 0
    violations: list[Violation] = []
    false: list[Violation] = []
    pending: dict[str, tuple[str, float]] = {}
    for event in history:
        if isinstance(event, Pods):
            for name, node in nodes.items():
                node.refusals.look(event, name)
            answered = {
                pod.node for pod in event.pods if _may_have_been_answered(pod) and ends.get(pod.uid) == event.at
            }
            answered |= _left_unseen(pending, event, nodes)
            waiting = [pod for pod in event.pods if pod.phase == "Pending"]
            pending = {pod.uid: (pod.node, pending.get(pod.uid, ("", event.at))[1]) for pod in waiting}
            for name in answered:
                node = nodes.setdefault(name, _Node())
                node.given_up_until = event.at + bounds.never_shown_seconds
                node.suspected.clear()
            violations += _confirmed(nodes)
        elif isinstance(event, Deed):
            _take_in(event, nodes.setdefault(event.node, _Node()))
        else:
            node = nodes.setdefault(event.node, _Node())
            lost_at = _lost_at(event, node)
            if lost_at is not None and _may_have_been_lost(pending, event.node, lost_at):
                node.given_up_until = max(node.given_up_until, lost_at + bounds.never_shown_seconds)
            _go_on(event, node, ends, bounds)
            due = _due(event, node, bounds)
            false += node.refusals.go_on(event.at, event.node, {card: node.waits[card] for card in due})
            for card in due:
                checks += card not in node.judged
                node.judged.add(card)
                what = _missing(event, node, card, resources)
                node.lacking[card] = node.lacking.get(card, 0) + 1 if what else 0
                if node.lacking[card] == LACKING_SAMPLES:
                    waited = event.at - node.waits[card]
                    node.suspected.append(
                        Violation(event.at, event.node, card, f"idle and good for {waited:.1f} s: {what}")
                    )
    refusals = sum(node.refusals.checks for node in nodes.values())
    return Judged(checks, tuple(violations + _confirmed(nodes)), refusals, tuple(false))


def _confirmed(nodes: Mapping[str, _Node]) -> list[Violation]:
    confirmed = [violation for node in nodes.values() for violation in node.suspected]
    for node in nodes.values():
        node.suspected.clear()
    return confirmed


def _may_have_been_answered(pod: PodSeen) -> bool:
    """A pod that failed at its admission after the plugin had answered: one of several requests, or the last of them,
    and then the kubelet could not write it down. The plugin alone knows of it, and gives it up later.
    """
    return pod.phase == "Failed" and (pod.requests > 1 or "failed to write checkpoint" in pod.reason)


def _left_unseen(pending: Mapping[str, tuple[str, float]], now: Pods, nodes: Mapping[str, _Node]) -> set[str]:
    """Nodes on which a pod may have been answered, and its end went unseen.

    `pending`: UID to node, empty before it has one, and since when it waits. One that waited on a node and is gone may
    have been deleted between its `Allocate` and its container: the kubelet then crosses it off before anybody could see
    it in its books. One whose node is not known may have failed there: while the disk was full, and while the API
    server was away, when nobody is told how a pod ends.
    """
    there = {pod.uid for pod in now.pods}
    return {
        name
        for uid, (bound_to, at) in pending.items()
        if uid not in there
        for name, node in nodes.items()
        if bound_to == name or (not bound_to and (node.disk_full or node.unwritten_until >= at))
    }


def _lost_at(sample: Sample, node: _Node) -> float | None:
    """When the kubelet was seen no more in whose place another one is seen first now; one that was stopped goes on."""
    if sample.kubelet_since == node.kubelet_since:
        node.lost_at = None
        return None
    if node.lost_at is None:
        node.lost_at = sample.at
    if sample.kubelet_since is None:
        return None
    is_first, lost_at = node.kubelet_since is None, node.lost_at
    node.kubelet_since, node.lost_at = sample.kubelet_since, None
    return None if is_first else lost_at


def _may_have_been_lost(pending: Mapping[str, tuple[str, float]], name: str, lost_at: float) -> bool:
    """A pod may have been answered whose kubelet was killed before it wrote that down: one that waited on the node by
    then, and waits yet. The kubelet that comes asks for it anew, perhaps for another card.
    """
    return any(bound_to == name and at < lost_at + SEEN_SECONDS for bound_to, at in pending.values())


def _take_in(deed: Deed, node: _Node) -> None:
    if deed.kind == "sockets-removed":
        node.begin_anew()
        node.list_due_after = max(node.list_due_after, deed.began)
    elif deed.kind == "disk-full":
        node.disk_full = not deed.heals
        node.unwritten_until = deed.at
        node.begin_anew()


def _go_on(sample: Sample, node: _Node, ends: dict[str, float], bounds: Bounds) -> None:
    """Begins, goes on with and ends waits."""
    for card, condition in sample.cards.items():
        node.standings[card] = stand(node.standings.get(card), condition, sample.at, sample.agent_since)
    _note_seen_good(sample, node, bounds)
    if node.last_at is not None and sample.at - node.last_at > LONGEST_GAP_SECONDS:
        node.begin_anew()
    node.last_at = sample.at
    _note_glimpses(sample, node, bounds)
    with_whom = None
    if sample.kubelet_since is not None and sample.agent_since is not None:
        with_whom = (sample.kubelet_since, sample.agent_since)
        node.list_due_after = max(node.list_due_after, *with_whom)
    if with_whom != node.connected_with or node.disk_full or sample.at < node.given_up_until:
        node.begin_anew()
    node.connected_with = with_whom
    if with_whom is None or node.disk_full or sample.at < node.given_up_until:
        return
    held = {card for holder in sample.holders for card in holder.cards}
    held |= {card for one in sample.booked if ends.get(one.pod, sample.at) >= sample.at for card in one.cards}
    held |= {card for card, until in node.glimpsed_until.items() if sample.at < until}
    ready = {card for card in sample.cards if card not in held and node.standings[card].good_since is not None}
    node.begin_anew([card for card in node.waits if card not in ready])
    for card in ready:
        node.waits.setdefault(card, sample.at)


def _note_seen_good(sample: Sample, node: _Node, bounds: Bounds) -> None:
    """A probation begins when an agent sees the card good, and survives the agent that had the time to see it."""
    for card, standing in node.standings.items():
        if standing.good_since is None:
            node.seen_good.pop(card, None)
        elif sample.agent_since is not None:
            at, agent = node.seen_good.get(card, (max(sample.at, standing.good_since), sample.agent_since))
            if agent != sample.agent_since and node.agent_at - at < bounds.offered_seconds:
                at, agent = sample.at, sample.agent_since
            node.seen_good[card] = at, agent
    if sample.agent_since is not None:
        node.agent_at = sample.at


def _note_glimpses(sample: Sample, node: _Node, bounds: Bounds) -> None:
    """A pod that is deleted while its init container runs leaves 1.20.2's books at once, hardly that it is in them."""
    booked = {card for one in sample.booked for card in one.cards}
    for card in booked:
        node.booked_from.setdefault(card, sample.at)
    for card in node.booked_from.keys() - booked:
        began = node.booked_from.pop(card)
        if sample.at - began < bounds.glimpsed_seconds:
            node.glimpsed_until[card] = began + bounds.never_shown_seconds


def _due(sample: Sample, node: _Node, bounds: Bounds) -> list[str]:
    """The cards that have to be offered by now, as far as the checkpoint can tell."""
    if sample.checkpoint_at is not None and sample.checkpoint_at < node.unwritten_until:
        return []
    due = []
    for card, since in node.waits.items():
        standing = node.standings[card]
        probation = probation_seconds(standing.flaps, bounds.first_probation_seconds, bounds.longest_probation_seconds)
        proven = node.seen_good[card][0] + probation
        if sample.at >= max(since, proven) + bounds.offered_seconds + bounds.slack_seconds:
            due.append(card)
    return due


def _missing(sample: Sample, node: _Node, card: str, resources: Sequence[str]) -> str:
    """What is not as promised; empty where all is."""
    if sample.checkpoint_at is None or sample.checkpoint_at < node.list_due_after:
        return "the agent had to register anew, and no list has reached the kubelet since"
    names = [resource for resource in resources if card not in sample.offered.get(resource, ())]
    return f"not offered under {', '.join(names)}" if names else ""
