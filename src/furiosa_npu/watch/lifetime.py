"""How long an agent's process lives: until a signal ends it, or a part of it fails."""

import asyncio
import signal
from collections.abc import Awaitable, Coroutine


async def until_stopped(serving: Coroutine[object, object, None], last: Coroutine[object, object, None]) -> None:
    """Runs `serving`, which has no end of its own, until SIGTERM or SIGINT; then it is cancelled, and `last` is done
    beside its ending. Raises what `serving` raised.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    work = asyncio.create_task(serving)
    stopping = asyncio.create_task(stopped.wait())
    done, _ = await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (work, stopping):
        task.cancel()
    results = await asyncio.gather(work, stopping, last, return_exceptions=True)
    if stopping in done:
        return
    for result in results:
        if isinstance(result, Exception):
            raise result
    raise RuntimeError("a task of the agent came to an end that nobody asked for")


async def all_of(*parts: Awaitable[None]) -> None:
    """All at once; where one fails, or this is cancelled, the others are ended too, each at its own pace."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        # asyncio.gather would pass a cancellation on, and the one below would break off the ends that it brought.
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
