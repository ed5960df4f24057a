"""What is said through the API server, and from when on: nothing that was there at the start appears."""

import asyncio
from typing import Any, cast

from furiosa_npu.agent.log import Log
from furiosa_npu.allocation.census import Rules, Seen, census
from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.cluster.condition import Condition
from furiosa_npu.cluster.events import Event, Source
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.verdict import State
from furiosa_npu.watch.announcements import Announcements
from furiosa_npu.watch.reports import final_condition
from tests.unit.readings import renegade, warboy

SOURCE = Source("furiosa-npu-dra-driver", "n1")
NONE: frozenset[str] = frozenset()


class Writer:
    """Notes what is to be written."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.conditions: list[str] = []
        self.last_words: list[Condition] = []

    def say(self, event: Event) -> None:
        self.events.append(event.reason)

    def hold(self, condition: Condition) -> None:
        self.conditions.append(condition.reason)

    async def last(self, condition: Condition) -> None:
        self.last_words.append(condition)


def pool(*cards: Reading) -> Pool:
    return census({}, Seen(cards), Ledger(), Rules(family=None, disable=(), pe_form="fused"), 100.0)


def said(*looks: tuple[Pool, frozenset[str] | None]) -> tuple[list[str], list[str]]:
    """Events and conditions, by their reasons, after looks that showed these cards and left these unread."""
    writer = Writer()
    announcements = Announcements(Log(write=lambda _: None), lambda *_: None, cast(Any, writer), SOURCE)
    announcements.own_plane()
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


def test_a_card_comes_to_each_state_but_that_in_which_it_was_found() -> None:
    """A container that starts anew finds a card failed: that is no other fault of it."""
    came: list[tuple[str, State]] = []
    announcements = Announcements(Log(write=lambda _: None), lambda *to: came.append(to), None, SOURCE)
    good, failed = pool(warboy(uuid="U0")), pool(warboy(uuid="U0")._replace(alive=False))
    for cards in (failed, failed, good, failed):
        announcements.say(cards, {}, NONE)
    assert came == [("U0", "idle"), ("U0", "failed")]


def test_nothing_is_news_before_it_is_known_which_cards_there_are() -> None:
    """Folders that are slow to be listed make no card appear, nor does the node's condition miss them meanwhile."""
    assert said((pool(), None), (pool(warboy()), NONE)) == ([], ["AllNPUsHealthy"])
    assert said((pool(), None), (pool(), NONE)) == ([], ["NoNPUs"])


def test_a_card_that_has_not_answered_yet_is_not_said_to_be_missing() -> None:
    """It is there, and will be in the condition when it answers or has hung for too long."""
    slow = frozenset({warboy().key})
    assert said((pool(), slow), (pool(warboy()), NONE)) == ([], ["AllNPUsHealthy"])


def test_the_last_word_is_the_agents_own() -> None:
    """Whoever reads the node's condition learns which of the agents was stopped."""
    writer = Writer()
    announcements = Announcements(Log(write=lambda _: None), lambda *_: None, cast(Any, writer), SOURCE)
    announcements.own_plane()
    asyncio.run(announcements.last())
    assert writer.last_words == [final_condition("furiosa-npu-dra-driver")]


def test_an_agent_that_waits_for_the_plane_leaves_it_to_the_one_that_has_it_to_tell_of_the_cards() -> None:
    """What the other plane has given out is in use by strangers to it; and its condition would be written once, then
    overwritten by the last word of the one that goes, and never again. What is bad once it has the plane it tells.
    """
    writer = Writer()
    announcements = Announcements(Log(write=lambda _: None), lambda *_: None, cast(Any, writer), SOURCE)
    used = pool(renegade()._replace(pe_occupancy=(True,) * 8))
    failed = pool(renegade()._replace(alive=False))
    announcements.say(used, {}, NONE)
    announcements.say(failed, {}, NONE)
    asyncio.run(announcements.last())
    assert (writer.events, writer.conditions, writer.last_words) == ([], [], [])
    announcements.own_plane()
    assert (writer.events, writer.conditions) == (["NPUFailed"], ["NotAlive"])
    announcements.say(used, {}, NONE)
    assert (writer.events, writer.conditions) == (["NPUFailed", "NPUOccupied"], ["NotAlive", "AllNPUsHealthy"])
