"""Asks the API server from asyncio's loop, by a child of its own, and waits for the answers."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence

from furiosa_npu.cluster.api import Access, Answer, ApiRequest
from furiosa_npu.cluster.child import Call


async def ask(
    access: Access,
    requests: Sequence[ApiRequest],
    clock: Callable[[], float] = time.monotonic,
    environment: Mapping[str, str] | None = None,
) -> tuple[Answer, ...]:
    """An answer for each request, in order; what kept one from being had stands in its `error`.

    All go over one connection, one after the other; after an error none of the rest is sent. `environment` (default:
    ours) is the child's. Cancelled, the child is killed.
    """
    try:
        call = Call(access, requests, clock, os.environ if environment is None else environment)
    except OSError as error:
        reason = f"no child process for the API server: {error.strerror or error}"
        return (Answer(None, None, reason),) * len(requests)
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[tuple[Answer, ...]] = loop.create_future()

    def receive() -> None:
        answers = call.receive()
        if answers is not None:
            loop.remove_reader(number)
            answered.set_result(answers)

    number = call.fileno()
    loop.add_reader(number, receive)
    try:
        async with asyncio.timeout(max(0.0, call.deadline - clock())):
            return await asyncio.shield(answered)
    except TimeoutError:
        pass
    finally:
        if not answered.done():
            loop.remove_reader(number)
            late = call.abandon()
    return late
