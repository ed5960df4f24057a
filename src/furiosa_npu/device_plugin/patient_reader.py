"""Asks drivers in threads and waits on the agent's loop, for each of them only as long as is worth it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from furiosa_npu.hardware.reader_threads import Answer, Job, ReaderThreads

STUCK_SECONDS = 0.05
"""A job that takes so long does not keep what waits behind it: another thread goes on. A card is read in 0.2 ms."""


class NoAnswer(Exception):
    """The driver did not answer in time; `path` is what was asked."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class PatientReader:
    """`patience_seconds`: from when on a driver that does not answer is said to hang. Made inside a running loop."""

    def __init__(self, patience_seconds: float, clock: Callable[[], float]) -> None:
        self._patience = patience_seconds
        self._clock = clock
        self._news = asyncio.Event()
        self._fresh: dict[str, Any] = {}
        self._answered: dict[str, Answer] = {}
        loop = asyncio.get_running_loop()
        self._threads = ReaderThreads(lambda: loop.call_soon_threadsafe(self._collect), clock)

    @property
    def stuck_threads(self) -> int:
        """How many threads wait for a driver that does not answer."""
        return self._threads.stuck

    async def ask(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """What was answered, by key; also to a job of an earlier call that took its time.

        Returns once all have answered but those that are stuck. A key whose last job is stuck still is not asked again.
        """
        waiting = {job.key for job in jobs if self._threads.submit(job)}
        while waiting := {key for key in waiting if self._threads.is_in_flight(key)}:
            if not await self._news_within(STUCK_SECONDS) and not self._threads.reinforce():
                break
        fresh, self._fresh = self._fresh, {}
        return fresh

    async def ask_one(self, job: Job) -> Any:
        """What the job tells, asked after the call.

        Raises NoAnswer after the time of patience; at once where the key's driver is known to hang.
        """
        if (path := self.hanging(job.key)) is not None:
            raise NoAnswer(path)
        deadline = self._clock() + self._patience
        submitted = self._threads.submit(job)
        while True:
            answer = self._answered.get(job.key)
            if answer is not None and answer.job is job:
                return answer.result
            submitted = submitted or self._threads.submit(job)
            seconds = deadline - self._clock()
            if seconds <= 0:
                waited = self._threads.waited_for(job.key, self._clock())
                raise NoAnswer(job.files.at if waited is None else waited[1])
            if not await self._news_within(min(seconds, STUCK_SECONDS)):
                self._threads.reinforce()

    def hanging(self, key: str) -> str | None:
        """The path for whose answer a thread has waited for the time of patience."""
        waited = self._threads.waited_for(key, self._clock())
        return None if waited is None or waited[0] < self._patience else waited[1]

    async def _news_within(self, seconds: float) -> bool:
        news = self._news
        try:
            async with asyncio.timeout(seconds):
                return await news.wait()
        except TimeoutError:
            return False

    def _collect(self) -> None:
        """What came after the time of patience tells of an earlier time, and is not taken."""
        for answer in self._threads.collect():
            self._answered[answer.job.key] = answer
            if self._clock() - answer.asked_at < self._patience:
                self._fresh[answer.job.key] = answer.result
        news, self._news = self._news, asyncio.Event()
        news.set()
