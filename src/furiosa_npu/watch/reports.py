"""What people are told of the cards through the API server: events about what changed, and the node's condition. Pure.

    told, events = news(told, reports, node, unread)     # told: None at the agent's start
    condition(reports)

A good card that is there at the start is no news, a bad one is. What is said once is not said again while it lasts, and
in the same words where it comes again: an event names what began or ended and the bound that was crossed, no value that
moves. Of a file that is not as documented it says what was found in it first.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from furiosa_npu.allocation.pool import Unit
from furiosa_npu.cluster.condition import Condition
from furiosa_npu.cluster.events import Event
from furiosa_npu.cluster.objects import Subject, the_node, the_pod
from furiosa_npu.hardware.reading import Family
from furiosa_npu.health.signs import NAMES
from furiosa_npu.health.verdict import State, in_words
from furiosa_npu.watch.kubelet_books import PodRef

CONDITION = "FuriosaNPUHealthy"

_BAD: tuple[State, ...] = ("failed", "unreadable", "gone", "starting")
"""The worst first. A driver that is half there counts: its card is not offered, and may have dropped off the bus."""

_UNHEALTHY: tuple[State, ...] = (*_BAD, "probation")
"""The condition turns good when the card is offered again, not before: a card that flaps would make it flap."""

_GOOD: tuple[State, ...] = ("idle", "allocated")

_TRANSIENT = "second-reading"
"""a Warboy whose next reading decides about use, a second from now: no news, and no matter of health"""


class CardReport(NamedTuple):
    """What is held of one card, and who holds it."""

    uuid: str
    name: str
    family: Family
    state: State
    sign: str
    """of the state, e.g. `not-alive`; empty where there is nothing to say"""
    reason: str
    warnings: tuple[tuple[str, str], ...]
    """sign and sentence of what keeps the card from nobody"""
    holders: tuple[PodRef, ...]

    @property
    def key(self) -> str:
        """As `Reading.key`."""
        return f"{self.family} {self.name}"

    def __str__(self) -> str:
        return f"{self.name} ({self.uuid})"


class Told(NamedTuple):
    """The last that was seen of a card, and what of it was said and not taken back yet."""

    report: CardReport
    bad: bool
    pods: tuple[tuple[str, str], ...]
    """namespace and name of those that know that their card is bad"""


def report(unit: Unit, holders: Sequence[PodRef]) -> CardReport:
    """Of a unit of the pool, with the containers that hold it."""
    card, verdict = unit.card, unit.verdict
    return CardReport(
        unit.id,
        card.name,
        card.family,
        verdict.state,
        verdict.sign,
        verdict.reason,
        tuple((warning.sign, warning.text) for warning in verdict.warnings),
        tuple(holders),
    )


def news(
    told: Mapping[str, Told] | None,
    reports: Sequence[CardReport],
    node: str,
    unread: Collection[str] = (),
) -> tuple[dict[str, Told], tuple[Event, ...]]:
    """What was told by now, by UUID, and the events to say; `told` is None for the first reports of an agent.

    `unread`: keys of the cards that were there at the agent's start and had not answered yet at the last reports. They
    do not appear when they do, and what was said of one under its number goes on under its UUID.
    """
    now: dict[str, Told] = {}
    events: list[Event] = []
    there = {current.uuid for current in reports}
    away = {uuid: before for uuid, before in (told or {}).items() if uuid not in there}
    nameless = {before.report.key: before for before in away.values() if before.report.key in unread}
    for current in reports:
        before = None if told is None else told.get(current.uuid, nameless.get(current.key))
        if before is not None and current.sign == _TRANSIENT:
            now[current.uuid] = before
            continue
        events += _of_node(before, current, the_node(node), at_start=told is None or current.key in unread)
        now[current.uuid], of_pods = _of_pods(before, current)
        events += of_pods
    for before in away.values():
        if before.report.state != "gone" and before.report.key not in nameless:  # another card has its place
            gone = before.report._replace(state="gone", sign="gone", reason="it is not there any more")
            events += _of_node(before, gone, the_node(node), at_start=False)
            events += _of_pods(before, gone)[1]
    return now, tuple(events)


def condition(reports: Sequence[CardReport]) -> Condition:
    """True where no card is unhealthy. Cards that are disabled, or in use by a stranger, are not.

    Unknown where there is no card at all: nothing can be said of what nobody sees. A card that is gone counts as long
    as the agent knows of it: until another has its place, or the agent is restarted.
    """
    if not reports:
        return Condition(CONDITION, "Unknown", "NoNPUs", "no NPU is seen on this node: is the driver loaded?")
    bad = sorted((card for card in reports if _is_unhealthy(card)), key=_badness)
    total = _npus(len(reports))
    if bad:
        named = "; ".join(f"{card} {card.state}: {card.reason}" for card in bad)
        reason = _words(bad[0].sign or bad[0].state)
        return Condition(CONDITION, "False", reason, f"{len(bad)} of {total} not healthy: {named}")
    apart = [
        f"{len(names)} {state} ({', '.join(sorted(names))})"
        for state in ("occupied", "disabled")
        if (names := [card.name for card in reports if card.state == state])
    ]
    return Condition(CONDITION, "True", "AllNPUsHealthy", ", ".join([f"{total}, none unhealthy", *apart]))


def final_condition(agent: str) -> Condition:
    """What `agent`, by the name of its program, leaves behind where it ends: nobody looks until the next one does."""
    reason = f"{_words(agent.rpartition('-')[2])}Stopped"
    return Condition(CONDITION, "Unknown", reason, f"{agent} was stopped: nobody looks at the NPUs")


def _of_node(before: Told | None, card: CardReport, node: Subject, *, at_start: bool) -> list[Event]:
    events: list[Event] = []
    old = None if before is None or before.report.state == "gone" else before.report

    def say(kind: Literal["Normal", "Warning"], reason: str, text: str) -> None:
        events.append(Event(node, kind, reason, f"{card} {text}"))

    appeared = old is None and not at_start and card.state != "gone"
    if appeared:
        say("Normal", "NPUAppeared", f"appeared: {_state(card)}")
    if _went_bad(before, card) and not (appeared and card.state == "starting"):
        say("Warning", f"NPU{card.state.capitalize()}", _said(card))
    elif card.state == "occupied" and (old is None or old.state != "occupied"):
        say("Warning", "NPUOccupied", _said(card))
    elif card.state in _GOOD and before is not None and before.bad and not appeared:
        say("Normal", "NPUHealthy", "is good now")
    known = {sign for sign, _ in old.warnings} if old is not None else set()
    for sign, text in card.warnings:
        if sign not in known:
            say("Warning", f"NPU{_words(sign)}", f"warning: {text}")
    return events


def _of_pods(before: Told | None, card: CardReport) -> tuple[Told, list[Event]]:
    """To pods that hold the card: that it went bad, whenever they come to be known, and that it is good again."""
    pods = tuple(dict.fromkeys((holder.namespace, holder.pod) for holder in card.holders))
    told = tuple(pod for pod in pods if before is not None and pod in before.pods)
    events: list[Event] = []
    if card.state in _BAD and card.sign != _TRANSIENT:
        again = _went_bad(before, card)
        text = f"{card}, which this pod holds, {_said(card)}"
        reason = f"NPU{card.state.capitalize()}"
        events = [Event(the_pod(*pod), "Warning", reason, text) for pod in pods if again or pod not in told]
        return Told(card, bad=True, pods=pods), events
    if card.state in _GOOD:
        text = f"{card}, which this pod holds, is good now"
        return Told(card, bad=False, pods=()), [Event(the_pod(*pod), "Normal", "NPUHealthy", text) for pod in told]
    return Told(card, bad=before is not None and before.bad, pods=told), []


def _went_bad(before: Told | None, card: CardReport) -> bool:
    """It is bad, and was not, or in another way."""
    if card.state not in _BAD or card.sign == _TRANSIENT:
        return False
    return before is None or (before.report.state, before.report.sign) != (card.state, card.sign)


def _is_unhealthy(card: CardReport) -> bool:
    return card.state in _UNHEALTHY and card.sign != _TRANSIENT


def _badness(card: CardReport) -> tuple[int, int, str, str]:
    """The worst first, in an order that does not change."""
    sign = NAMES.index(card.sign) if card.sign in NAMES else len(NAMES)
    return (_UNHEALTHY.index(card.state), sign, card.name, card.uuid)


def _state(card: CardReport) -> str:
    return f"{card.state}: {card.reason}" if card.reason else card.state


def _said(card: CardReport) -> str:
    return f"{in_words(card.state)}: {card.reason}" if card.reason else in_words(card.state)


def _words(sign: str) -> str:
    return "".join(word.capitalize() for word in sign.split("-"))


def _npus(count: int) -> str:
    return "1 NPU" if count == 1 else f"{count} NPUs"
