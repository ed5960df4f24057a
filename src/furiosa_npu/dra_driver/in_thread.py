"""Work in a thread of its own, which ends with it. `asyncio.to_thread` imports a pool, whose threads stay."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.05
"""Between two tries to start a thread on a machine that has none to give."""


async def in_thread(work: Callable[[], T]) -> T:
    """What the work tells. Raises what it raised.

    Waits where the machine has no thread to give. Work that was begun and nobody waits for any more goes on to its end,
    and the process does not end before it.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: Exception | None) -> None:
        if answered.done():
            return
        if error is not None:
            answered.set_exception(error)
        else:
            answered.set_result(result)  # type: ignore[arg-type]  # without an error it is what the work told

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001  # not lost: it is what whoever waits gets
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(tell, result, error)

    while True:
        try:
            threading.Thread(target=run, name="work").start()
        except RuntimeError:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return await answered
