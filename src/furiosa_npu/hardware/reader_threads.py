"""Reads in threads: a driver that does not answer holds the thread that asked it, and nobody else.

One thread at a time takes jobs, urgent ones first. Where it does not come back, another one goes on with what waits;
the stuck one ends when the driver lets it go. A key is asked once at a time, so there are never more threads than keys,
and one.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from furiosa_npu.hardware.driver_file import Files

_STACK_BYTES = 256 * 1024


class Job(NamedTuple):
    """Something to read."""

    key: str
    """of a card, or another thing that may hang of its own"""
    files: Files
    """whose `at` says where it is"""
    work: Callable[[], Any]
    """what it raises is the answer's result"""


class Batch:
    """Jobs that were submitted together."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.waiting = deque(jobs)
        """those that no thread has taken yet"""
        self.unanswered = len(jobs)
        """those whose answers have not been collected"""
        self.is_left = False
        """nobody waits for it any more"""


class Answer(NamedTuple):
    job: Job
    result: Any
    """what the job told, or the Exception that it raised"""
    asked_at: float
    """seconds of the clock, when a thread took the job"""
    batch: Batch


class _Worker:
    """A thread and what it is at."""

    def __init__(self) -> None:
        self.job: Job | None = None
        """None between two jobs: it may take one more even when it is replaced"""
        self.since = 0.0
        self.replaced = False
        self.ended = False


class ReaderThreads:
    """For one thread, the agent's own; `wake` is called in another one when answers are there."""

    def __init__(self, wake: Callable[[], object], clock: Callable[[], float]) -> None:
        self._wake = wake
        self._clock = clock
        self._batches: deque[Batch] = deque()
        """those with jobs that no thread has taken yet"""
        self._news = threading.Lock()
        """held while there is nothing new for the thread that takes jobs"""
        self._news.acquire()
        self._answers: deque[Answer] = deque()
        self._in_flight: set[str] = set()
        self._short = False
        """no thread was to be had where one was wanted"""
        self._replaced: list[_Worker] = []
        self._current = self._start()

    def submit(self, jobs: Sequence[Job], *, urgent: bool = False) -> Batch:
        """A key whose last job has not been collected yet is left out. `urgent`: before all that waits."""
        if self._short and self._batches:
            self._replace()
        in_flight = self._in_flight
        batch = Batch([job for job in jobs if job.key not in in_flight])
        if batch.waiting:
            in_flight.update(job.key for job in batch.waiting)
            if urgent:
                self._batches.appendleft(batch)
            else:
                self._batches.append(batch)
            self._tell()
        return batch

    def collect(self) -> list[Answer]:
        """The answers that have come since the last call."""
        answers = []
        while self._answers:
            answer = self._answers.popleft()
            self._in_flight.discard(answer.job.key)
            answer.batch.unanswered -= 1
            answers.append(answer)
        return answers

    def waited_for(self, key: str, now: float) -> tuple[float, str] | None:
        """For how many seconds a thread has been waiting for the key's answer, and for which path."""
        for worker in (*self._replaced, self._current):
            job = worker.job
            if job is not None and job.key == key:
                return now - worker.since, job.files.at
        return None

    def reinforce(self, batch: Batch) -> bool:
        """Starts another thread where jobs wait for one that does not come back.

        False: no job of the batch waits, or the machine has no thread to give; then the next `submit` tries again.
        """
        return bool(batch.waiting) and self._replace()

    def stuck(self, since: float) -> int:
        """How many threads besides the one that takes jobs wait for a driver since that time, or longer."""
        return sum(worker.job is not None and worker.since <= since for worker in self._replaced)

    def _replace(self) -> bool:
        try:
            successor = self._start()
        except RuntimeError:
            self._short = True
            return False
        self._short = False
        self._current.replaced = True
        self._replaced = [worker for worker in (*self._replaced, self._current) if not worker.ended]
        self._current = successor
        return True

    def _start(self) -> _Worker:
        """Raises RuntimeError where the machine has no thread to give."""
        worker = _Worker()
        before = threading.stack_size(_STACK_BYTES)
        try:
            threading.Thread(target=self._serve, args=(worker,), name="reader", daemon=True).start()
        finally:
            threading.stack_size(before)
        return worker

    def _serve(self, me: _Worker) -> None:
        while not me.replaced:
            taken = self._take()
            if taken is None:
                self._news.acquire()
            else:
                self._do(me, *taken)
        me.ended = True
        self._tell()  # what this one was told while it was replaced is for its successor

    def _tell(self) -> None:
        with suppress(RuntimeError):  # told already
            self._news.release()

    def _take(self) -> tuple[Job, Batch] | None:
        """The first job that waits; None: there is none."""
        while self._batches:
            try:
                batch = self._batches[0]
                job = batch.waiting.popleft()
            except IndexError:
                continue  # another thread took the last of it, and takes the batch away in a moment
            if not batch.waiting:
                with suppress(ValueError):  # another thread took one of it too, and the batch away
                    self._batches.remove(batch)
            return job, batch
        return None

    def _do(self, me: _Worker, job: Job, batch: Batch) -> None:
        me.since = self._clock()
        me.job = job
        try:
            result = job.work()
        except Exception as error:  # noqa: BLE001  # not lost: it is what whoever asked gets
            result = error
        me.job = None
        self._answers.append(Answer(job, result, me.since, batch))
        if not batch.waiting:
            self._wake()
