"""When the cards are looked at, on a clock that jumps: at once where something happened, and never without bound."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from furiosa_npu.allocation.ledger import Ledger, Observation
from furiosa_npu.watch.cycle import BURST_SECONDS, OPENED_SECONDS, Cycle
from furiosa_npu.watch.pages import live
from tests.jumping_loop import run
from tests.unit.readings import warboy


class Stage:
    """The real Cycle among parts that note when they are asked."""

    def __init__(self, cycle_seconds: float) -> None:
        self.looks: list[tuple[float, bool]] = []
        """when the cards were looked at, and whether those who use them were, too"""
        self.cycle_seconds = cycle_seconds
        self.hangs = False
        """a scan that begins does not end"""
        self.seen = Observation(0.0, frozenset(), frozenset(), recorded_is_current=False)
        """what the kubelet shows"""
        self.takes_seconds = 0.0
        """what is to be taken in before a look"""
        self.all_seen = True
        """each card has answered"""
        self.compared = 0
        """how often the entries of `disable` were held against the cards"""
        self.readings = SimpleNamespace(is_waited_for=False, host_hangs=self._no)
        self.pool: dict[str, Any] = {}
        self.late: list[tuple[float, bool]] = []
        """when was taken in what had not been waited for, and whether users were looked at then"""
        self.watched: list[tuple[float, tuple[str, ...]]] = []
        """when it was to be told who opens which device files"""

    def _cycle(self) -> Cycle:
        self.npu_pool = SimpleNamespace(
            undecided=False,
            users_failure=None,
            all_seen=self.all_seen,
            pool=self.pool,
            verdicts={},
            cards={},
            ledger=Ledger(),
            rules=SimpleNamespace(disable=()),
            scan=self._scan,
            settle=self._no,
        )
        return Cycle(
            self.cycle_seconds,
            "/dev",
            cast(Any, self.readings),
            cast(Any, self.npu_pool),
            cast(Any, SimpleNamespace(at_start=self._observed, answered=False, containers={})),
            cast(Any, SimpleNamespace(keep=self._nothing)),
            cast(Any, SimpleNamespace(now=lambda: (), compare=self._compare)),
            cast(Any, SimpleNamespace(well=self._no)),
            asyncio.get_running_loop().time,
            lambda: None,
            lambda: None,
            self._take_in,
        )

    async def _take_in(self) -> None:
        await asyncio.sleep(self.takes_seconds)

    async def _scan(self, *, anew: bool, users_anew: bool, is_late: bool) -> None:
        looks = self.late if is_late else self.looks
        looks.append((round(asyncio.get_running_loop().time(), 3), users_anew))
        if self.hangs:
            await asyncio.Event().wait()

    async def _observed(self) -> Observation:
        return self.seen

    async def _nothing(self, *_: object) -> None:
        pass

    def _compare(self, _: object) -> None:
        self.compared += 1

    def _renew(self, paths: tuple[str, ...] = ()) -> None:
        """One file that was not watched before may have been opened: as `Events` does it."""
        if paths:
            self.watched.append((round(asyncio.get_running_loop().time(), 3), paths))
            self.cycle.users_changed()

    def _no(self, *_: object) -> None:
        pass

    def tell(self, story: Callable[[], Coroutine[Any, Any, None]]) -> list[tuple[float, bool]]:
        """The looks after the first, while the story was told."""
        events = cast(Any, SimpleNamespace(renew=self._renew, of_folder=True, of_devices=True, of_opens=True))

        async def whole() -> None:
            self.cycle = self._cycle()
            looking = asyncio.create_task(self.cycle.look(events))
            await asyncio.sleep(0)
            await story()
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

        run(whole())
        return self.looks[1:]


def test_a_process_that_opens_and_closes_a_card_in_a_loop_brings_a_look_a_second() -> None:
    """The first at once, the next when the second is over; what happened last is looked at, too."""
    stage = Stage(cycle_seconds=60.0)

    async def story() -> None:
        await asyncio.sleep(5)
        for _ in range(300):
            stage.cycle.users_changed()
            await asyncio.sleep(0.01)
        await asyncio.sleep(20)

    at = 5 + BURST_SECONDS
    assert stage.tell(story) == [
        (round(at, 3), True),
        *((round(at + number * (OPENED_SECONDS + BURST_SECONDS), 3), True) for number in (1, 2, 3)),
    ]


def test_cards_are_looked_at_in_each_cycle_whoever_opens_them() -> None:
    """Also where the cycle is shorter than the pause; users are not looked at more often for it."""
    stage = Stage(cycle_seconds=0.25)

    async def story() -> None:
        for _ in range(200):
            stage.cycle.users_changed()
            await asyncio.sleep(0.01)

    looks = stage.tell(story)
    assert len(looks) >= 7
    assert [users for _, users in looks].count(True) <= 2


def test_a_device_file_that_comes_or_a_pod_that_ends_is_looked_at_at_once() -> None:
    """Whatever was opened a moment ago."""
    stage = Stage(cycle_seconds=60.0)

    async def story() -> None:
        await asyncio.sleep(5)
        stage.cycle.users_changed()
        await asyncio.sleep(0.1)
        stage.cycle.devices_changed()
        await asyncio.sleep(0.1)
        stage.cycle.pod_ended()
        await asyncio.sleep(0.1)

    assert stage.tell(story) == [(5.02, True), (5.12, True), (5.22, True)]


def test_device_files_of_a_card_that_answers_late_are_watched_too() -> None:
    """Its driver was slow at the start; who had opened it before is looked at again, and not known until then."""
    stage, card = Stage(cycle_seconds=2.0), warboy()
    known: list[bool] = []

    async def story() -> None:
        stage.pool["npu0"] = SimpleNamespace(card=card)
        for seconds in (1.9, 0.11, 2.03):
            await asyncio.sleep(seconds)
            known.append(stage.npu_pool.users_are_known)

    assert stage.tell(story) == [(2.0, False), (2.02, True), (4.02, False)]
    files = tuple(f"/dev/{file.path}" for file in card.compute_files)
    assert (stage.watched, known) == ([(2.0, files)], [True, False, True])


def test_what_answers_late_is_taken_in_at_once_and_moves_no_look() -> None:
    """However much of it comes: a slow driver is not asked more often for it."""
    stage = Stage(cycle_seconds=1.0)

    async def story() -> None:
        for _ in range(4):
            await asyncio.sleep(0.6)
            stage.cycle.answered_late()

    at = [(round(0.6 * number + BURST_SECONDS, 3), False) for number in (1, 2, 3)]
    assert [stage.tell(story), stage.late] == [[(1.0, False), (2.0, False)], at]


def test_a_device_file_that_comes_while_late_answers_are_taken_in_is_looked_at() -> None:
    """In a look of its own, and all is asked."""
    stage = Stage(cycle_seconds=60.0)

    async def story() -> None:
        await asyncio.sleep(5)
        stage.takes_seconds = 0.5
        stage.cycle.answered_late()
        await asyncio.sleep(0.1)
        stage.cycle.devices_changed()
        await asyncio.sleep(5)

    assert [stage.tell(story), stage.late] == [[(6.04, True)], [(5.52, False)]]


def test_a_look_that_does_not_end_shows_at_livez() -> None:
    """Each turn of the loop is noted, and none where it stands still."""
    stage = Stage(cycle_seconds=2.0)
    answers: list[tuple[int, str]] = []

    async def story() -> None:
        for _ in range(2):
            await asyncio.sleep(601)
            answers.append(live(stage.cycle.turned_at, asyncio.get_running_loop().time(), stage.cycle_seconds))
            stage.hangs = True

    stage.tell(story)
    stopped = "loop: the last turn was 602 s ago, expected at most 20 s\n"
    assert answers == [(200, "ok\n"), (503, stopped)]


def test_nothing_is_listed_while_neither_pod_resources_nor_checkpoint_tell_who_holds_what() -> None:
    """A card that a pod got from the last agent, and does not compute on, would go to another under the other name."""
    stage = Stage(cycle_seconds=1.0)
    unknown, told = Observation(0.0, None, None, recorded_is_current=False), stage.seen
    known: list[bool] = []

    async def story() -> None:
        stage.seen = unknown
        knowing = asyncio.create_task(stage.cycle.know())
        await asyncio.sleep(60)
        known.append(knowing.done())
        stage.seen = told
        await asyncio.sleep(2)
        known.append(knowing.done())

    stage.tell(story)
    assert known == [False, True]


def test_who_has_been_given_cards_is_known_before_they_are_looked_at() -> None:
    """Else they would be taken for somebody else's. The first look waits for nothing: nothing is offered before."""
    stage = Stage(cycle_seconds=2.0)
    stage.takes_seconds = 0.5

    async def story() -> None:
        await asyncio.sleep(6)

    assert [stage.tell(story), stage.looks[0]] == [[(2.5, False), (5.0, False)], (0.0, True)]


def test_who_waits_for_each_cards_answer_waits_longer_than_the_first_list() -> None:
    """A card that is slow keeps no other from the list; what was said of it before is not taken back meanwhile."""
    stage = Stage(cycle_seconds=1.0)
    stage.readings.is_waited_for = True
    order: list[str] = []

    async def story() -> None:
        async def after(what: str, coroutine: Coroutine[Any, Any, None]) -> None:
            await coroutine
            order.append(what)

        waiting = [
            asyncio.create_task(after("seen", stage.cycle.seen())),
            asyncio.create_task(after("answered", stage.cycle.answered())),
        ]
        await asyncio.sleep(1.5)
        assert order == ["seen"]
        stage.readings.is_waited_for = False
        await asyncio.gather(*waiting)

    stage.tell(story)
    assert order == ["seen", "answered"]


@pytest.mark.parametrize("all_seen", [False, True])
def test_entries_of_disable_are_held_against_the_cards_once_each_has_answered(all_seen: bool) -> None:
    """One that is slow may be the one that is meant."""
    stage = Stage(cycle_seconds=1.0)
    stage.all_seen = all_seen

    async def story() -> None:
        await asyncio.sleep(1.5)

    looks = stage.tell(story)
    assert (len(looks), stage.compared) == (1, 2 if all_seen else 0)
