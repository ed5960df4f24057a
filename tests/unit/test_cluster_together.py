"""Many callers that ask the API server at once."""

import asyncio
from collections.abc import Sequence

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.together import Together


class Api:
    """An API server that answers when it is told to, with the path of each request."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.go_on = asyncio.Event()

    async def ask(self, requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        self.asked.append([request.path for request in requests])
        await self.go_on.wait()
        self.go_on.clear()
        return tuple(Answer(200, request.path, None) for request in requests)


async def _turns() -> None:
    """Of the loop, until nothing is left to do but to wait."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_what_is_wanted_while_one_child_asks_goes_together_with_the_next() -> None:
    """Each caller has its own answers; who was cancelled is not asked for, and keeps nobody waiting."""

    async def story() -> None:
        api = Api()
        together = Together(api.ask)

        async def want(*paths: str) -> list[object]:
            return [answer.body for answer in await together([ApiRequest("GET", path) for path in paths])]

        first = asyncio.create_task(want("/1"))
        await _turns()
        callers = [asyncio.create_task(want(*paths)) for paths in (("/2",), ("/x",), ("/3", "/4"))]
        await _turns()
        callers[1].cancel()
        await _turns()
        assert api.asked == [["/1"]]
        api.go_on.set()
        assert await first == ["/1"]
        await _turns()
        callers[0].cancel()
        api.go_on.set()
        assert await callers[2] == ["/3", "/4"]
        fifth = asyncio.create_task(want("/5"))
        await _turns()
        nobody = asyncio.create_task(want("/y"))
        await _turns()
        nobody.cancel()
        api.go_on.set()
        assert await fifth == ["/5"]
        await _turns()
        last = asyncio.create_task(want("/6"))
        api.go_on.set()
        assert await last == ["/6"]
        assert api.asked == [["/1"], ["/2", "/3", "/4"], ["/5"], ["/6"]]

    asyncio.run(story())
