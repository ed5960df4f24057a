"""What is said through the API server, and from when on: nothing that was there at the start appears."""

from typing import Any, cast

from furiosa_npu.agent.log import Log
from furiosa_npu.allocation.census import Rules, Seen, census
from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.cluster.condition import Condition
from furiosa_npu.cluster.events import Event
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.watch.announcements import Announcements
from tests.unit.readings import warboy

NONE: frozenset[str] = frozenset()


class Writer:
    """Notes what is to be written."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.conditions: list[str] = []

    def say(self, event: Event) -> None:
        self.events.append(event.reason)

    def hold(self, condition: Condition) -> None:
        self.conditions.append(condition.reason)


def pool(*cards: Reading) -> Pool:
    return census({}, Seen(cards), Ledger(), Rules(family=None, disable=(), pe_form="fused"), 100.0)


def said(*looks: tuple[Pool, frozenset[str] | None]) -> tuple[list[str], list[str]]:
    """Events and conditions, by their reasons, after looks that showed these cards and left these unread."""
    writer = Writer()
    announcements = Announcements(Log(write=lambda _: None), lambda *_: None, cast(Any, writer), "n1")
    for cards, unread in looks:
        announcements.say(cards, {}, unread)
    return writer.events, writer.conditions


def test_a_card_that_was_slow_at_the_start_does_not_appear_one_that_comes_does() -> None:
    """It was listed and had not answered; the one that comes later was not there."""
    one, two, three = (warboy(index, uuid=f"U{index}") for index in range(3))
    slow = frozenset({two.key})
    assert said((pool(one), slow), (pool(one, two), NONE))[0] == []
    assert said((pool(one), slow), (pool(one, two), NONE), (pool(one, two, three), NONE))[0] == ["NPUAppeared"]
    assert said((pool(one), NONE), (pool(one, two), NONE))[0] == ["NPUAppeared"]


def test_nothing_is_news_before_it_is_known_which_cards_there_are() -> None:
    """Folders that are slow to be listed make no card appear; the condition is told meanwhile."""
    assert said((pool(), None), (pool(warboy()), NONE)) == ([], ["NoNPUs", "AllNPUsHealthy"])
