"""What is under way when a server is to end: calls, and no streams."""

import asyncio
from contextlib import suppress
from typing import Any

from grpclib.const import Cardinality, Handler

from furiosa_npu.kubelet.calls import CountedServices
from tests.jumping_loop import run


class Service:
    """Of one call, which takes as long as it is told, and of one stream without end."""

    async def _call(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _stream(self, _: object) -> None:
        await asyncio.Event().wait()

    def __mapping__(self) -> dict[str, Handler]:
        return {
            "/call": Handler(self._call, Cardinality.UNARY_UNARY, object, object),
            "/stream": Handler(self._stream, Cardinality.UNARY_STREAM, object, object),
        }


async def waited(*calls: tuple[str, Any], broken_off_after: float | None = None) -> float:
    """Seconds, two at most, while these are under way."""
    loop, services = asyncio.get_running_loop(), CountedServices([Service()])
    handlers = services.__mapping__()
    tasks = [asyncio.ensure_future(handlers[path].func(argument)) for path, argument in calls]
    await asyncio.sleep(0)
    if broken_off_after is not None:
        for task in tasks:
            loop.call_later(broken_off_after, task.cancel)
    started = loop.time()
    with suppress(TimeoutError):
        async with asyncio.timeout(2.0):
            await services.answered.wait()
    took = loop.time() - started
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return took


def test_a_server_is_quiet_when_the_last_call_was_answered() -> None:
    """Streams are not calls; a call whose peer has gone is over."""

    async def story() -> None:
        assert await waited() == 0
        assert await waited(("/stream", None)) == 0
        assert await waited(("/call", 0.5), ("/call", 1.5), ("/stream", None)) == 1.5
        assert await waited(("/call", 60.0), broken_off_after=0.25) == 0.25
        assert await waited(("/call", 60.0)) == 2.0

    run(story())
