"""When the cards are looked at, on a clock that jumps: at once where something happened, and never without bound."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.watch.cycle import BURST_SECONDS, OPENED_SECONDS, Cycle
from tests.jumping_loop import run


class Stage:
    """The real Cycle among parts that note when they are asked."""

    def __init__(self, cycle_seconds: float) -> None:
        self.looks: list[tuple[float, bool]] = []
        """when the cards were looked at, and whether those who use them were, too"""
        self.cycle_seconds = cycle_seconds

    def _cycle(self) -> Cycle:
        pool = SimpleNamespace(
            undecided=False,
            users_failure=None,
            pool={},
            verdicts={},
            ledger=Ledger(),
            rules=SimpleNamespace(disable=()),
            scan=self._scan,
            settle=self._no,
        )
        return Cycle(
            self.cycle_seconds,
            "/dev",
            cast(Any, SimpleNamespace(is_waited_for=False, host_hangs=self._no)),
            cast(Any, pool),
            cast(Any, SimpleNamespace(at_start=self._nothing, answered=True, containers={})),
            cast(Any, SimpleNamespace(keep=self._nothing)),
            cast(Any, SimpleNamespace(now=lambda: ())),
            cast(Any, SimpleNamespace(well=self._no)),
            asyncio.get_running_loop().time,
            lambda: None,
            lambda: None,
        )

    async def _scan(self, *, anew: bool, users_anew: bool) -> None:
        self.looks.append((round(asyncio.get_running_loop().time(), 3), users_anew))

    async def _nothing(self, *_: object) -> None:
        pass

    def _no(self, *_: object) -> None:
        pass

    def tell(self, story: Callable[[], Coroutine[Any, Any, None]]) -> list[tuple[float, bool]]:
        """The looks after the first, while the story was told."""
        events = cast(Any, SimpleNamespace(renew=self._no, of_folder=True, of_devices=True))

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
