"""Asks the API server for many callers by one child at a time: what is wanted meanwhile goes together with the next.

A child takes a dozen MiB, and a kubelet that starts has all its pods' claims prepared at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import NamedTuple

from furiosa_npu.cluster.api import Answer, ApiRequest


class _Wanted(NamedTuple):
    requests: tuple[ApiRequest, ...]
    answers: asyncio.Future[tuple[Answer, ...]]


class Together:
    """Called as `ask` is, inside a running loop. A caller that is cancelled waits no longer, and disturbs nobody."""

    def __init__(self, ask: Callable[[Sequence[ApiRequest]], Awaitable[tuple[Answer, ...]]]) -> None:
        """`ask` gives an answer for each request, whatever happens."""
        self._ask = ask
        self._waiting: list[_Wanted] = []
        self._asking: asyncio.Task[None] | None = None

    async def __call__(self, requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        """An answer for each request, in order."""
        loop = asyncio.get_running_loop()
        wanted = _Wanted(tuple(requests), loop.create_future())
        self._waiting.append(wanted)
        if self._asking is None:
            self._asking = loop.create_task(self._ask_all())
        return await wanted.answers

    async def _ask_all(self) -> None:
        try:
            while self._waiting:
                batch = [wanted for wanted in self._waiting if not wanted.answers.done()]
                self._waiting.clear()
                if not batch:
                    continue
                answers = iter(await self._ask([request for wanted in batch for request in wanted.requests]))
                for wanted in batch:
                    own = tuple(islice(answers, len(wanted.requests)))
                    if not wanted.answers.done():
                        wanted.answers.set_result(own)
        finally:
            self._asking = None
