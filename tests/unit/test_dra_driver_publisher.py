"""Who asks the API server about slices, and when: the newest instance alone."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.dra_driver import publisher as module
from furiosa_npu.dra_driver.publication_trouble import Notice
from furiosa_npu.dra_driver.publisher import Publisher

READ = ApiRequest("GET", "/slices")
SAID = Notice("info", "published")


class Desk:
    """A publication that wants to ask once for each thing that it is told, and an API server."""

    def __init__(self) -> None:
        self.wanted = 0
        self.told: list[str] = []
        self.newest = True
        self.trouble: str | None = "being written"
        self.said: list[Notice] = []
        self.publisher = Publisher(
            cast(Any, self), self._ask, lambda: self.newest, self.said.append, lambda: 5.0, lambda: 0.5
        )

    def offer(self, cards: Sequence[object], now: float) -> None:
        self.told.append(f"offer {len(cards)} at {now:g}")
        self.wanted += 1

    def doubt(self, now: float) -> None:
        self.told.append(f"doubt at {now:g}")
        self.wanted += 1

    def due_at(self) -> float | None:
        return 5.0 if self.wanted else None

    def take(self, now: float) -> tuple[ApiRequest, ...]:
        self.wanted -= 1
        return (READ,)

    def answered(self, answers: Sequence[Answer], now: float, random: float) -> tuple[Notice, ...]:
        self.told.append(f"answered {[answer.status for answer in answers]} at {now:g}, {random:g}")
        return (SAID,)

    def unsettled(self) -> str | None:
        return self.trouble

    async def _ask(self, requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        assert list(requests) == [READ]
        return (Answer(200, {}, None),)

    async def go_on(self) -> None:
        """Turns of the loop, until nothing is left to do but to wait."""
        for _ in range(10):
            await asyncio.sleep(0)


def test_what_is_offered_is_asked_for_at_once_and_nothing_in_peace() -> None:
    """What there is to say of it is said."""

    async def story() -> Desk:
        desk = Desk()
        running = asyncio.create_task(desk.publisher.run())
        await desk.go_on()
        desk.publisher.offer(())
        await desk.go_on()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return desk

    desk = asyncio.run(story())
    assert desk.told == ["offer 0 at 5", "answered [200] at 5, 0.5"]
    assert desk.said == [SAID]


def test_an_older_instance_asks_nothing_until_the_newer_one_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it reads what the other one left before it writes; meanwhile nothing is amiss with its slices."""
    monkeypatch.setattr(module, "YIELDED_SECONDS", 0.0)

    async def story() -> Desk:
        desk = Desk()
        desk.newest = False
        running = asyncio.create_task(desk.publisher.run())
        desk.publisher.offer(())
        await desk.go_on()
        assert desk.told == ["offer 0 at 5"]
        assert desk.publisher.unsettled() is None
        assert not desk.publisher.is_settled()
        desk.newest = True
        await desk.go_on()
        assert desk.publisher.unsettled() == "being written"
        assert not desk.publisher.is_settled()
        desk.trouble = None
        assert desk.publisher.is_settled()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return desk

    assert asyncio.run(story()).told[:3] == ["offer 0 at 5", "doubt at 5", "answered [200] at 5, 0.5"]
