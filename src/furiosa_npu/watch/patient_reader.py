"""Asks drivers in threads and waits on the agent's loop, for each of them only as long as is worth it."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
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
        self._loop = asyncio.get_running_loop()
        self.on_late: Callable[[], None] | None = None
        """called when something has answered that `ask` did not wait for any more: `news` has it"""
        self._waiting: set[asyncio.Future[bool]] = set()
        self._fresh: dict[str, Answer] = {}
        self._answered: dict[str, Answer] = {}
        self._threads = ReaderThreads(self._wake, clock)

    @property
    def stuck_threads(self) -> int:
        """How many threads wait for a driver that hangs; one that is slow is none of them."""
        return self._threads.stuck(self._clock() - self._patience)

    async def ask(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """What was answered, by key; also to an earlier job of the key that took its time.

        Returns once all have answered but those that are stuck. A key whose last job is stuck still is not asked again.
        Raises what a job raised.
        """
        batch = self._threads.submit(jobs)
        while batch.unanswered:
            if not await self._news_within(STUCK_SECONDS) and not self._threads.reinforce(batch):
                batch.is_left = True
                break
        return self.news(job.key for job in jobs)

    def news(self, keys: Iterable[str]) -> dict[str, Any]:
        """What these keys have answered since they were asked last, by key. Raises what a job raised."""
        fresh = [self._fresh.pop(key) for key in keys if key in self._fresh]
        now = self._clock()
        return {answer.job.key: _told(answer.result) for answer in fresh if self._is_news(answer, now)}

    async def ask_one(self, job: Job) -> Any:
        """What the job tells, asked after the call.

        Raises NoAnswer after the time of patience, at once where the key's driver is known to hang; and what the job
        raised.
        """
        if (path := self.hanging(job.key)) is not None:
            raise NoAnswer(path)
        deadline = self._clock() + self._patience
        batch = self._threads.submit([job], urgent=True)
        while True:
            answer = self._answered.get(job.key)
            if answer is not None and answer.job is job:
                return _told(answer.result)
            seconds = deadline - self._clock()
            if seconds <= 0:
                waited = self._threads.waited_for(job.key, self._clock())
                raise NoAnswer(job.files.at if waited is None else waited[1])
            if not batch.unanswered:
                batch = self._threads.submit([job], urgent=True)
            if not await self._news_within(min(seconds, STUCK_SECONDS)):
                self._threads.reinforce(batch)

    def last(self, key: str) -> Answer | None:
        """The latest answer to a job of the key, however late it came. Raises what the job raised."""
        answer = self._answered.get(key)
        if answer is not None:
            _told(answer.result)
        return answer

    def hanging(self, key: str) -> str | None:
        """The path for whose answer a thread has waited for the time of patience."""
        waited = self._threads.waited_for(key, self._clock())
        return None if waited is None or waited[0] < self._patience else waited[1]

    async def _news_within(self, seconds: float) -> bool:
        news: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.add(news)
        timer = self._loop.call_later(seconds, self._time_is_up, news)
        try:
            return await news
        finally:
            timer.cancel()
            self._waiting.discard(news)

    def _wake(self) -> None:
        """In a reader's thread, which the agent's end does not wait for."""
        with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(self._collect)

    def _time_is_up(self, news: "asyncio.Future[bool]") -> None:
        """Threads wake the loop when a batch is done: answers lie ready where the last of it does not come."""
        _tell(news, False)
        self._collect()

    def _collect(self) -> None:
        if not (answers := self._threads.collect()):
            return
        now = self._clock()
        for answer in answers:
            self._answered[answer.job.key] = answer
            if self._is_news(answer, now):
                self._fresh[answer.job.key] = answer
        for news in self._waiting:
            _tell(news, True)
        if self.on_late is not None and any(answer.batch.is_left for answer in answers):
            self.on_late()

    def _is_news(self, answer: Answer, now: float) -> bool:
        """What came, or lay there, longer than the time of patience tells of an earlier time; an error is news."""
        return now - answer.asked_at < self._patience or isinstance(answer.result, Exception)


def _told(result: Any) -> Any:
    if isinstance(result, Exception):
        raise result
    return result


def _tell(news: "asyncio.Future[bool]", came: bool) -> None:
    if not news.done():
        news.set_result(came)
