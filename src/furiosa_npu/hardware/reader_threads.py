"""Reads in threads: a driver that does not answer holds the thread that asked it, and nobody else.

One thread at a time takes jobs. Where it does not come back, another one goes on with what waits; the stuck one ends
when the driver lets it go. A key is asked once at a time, so there are never more threads than keys, and one.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
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
    """what it raises is raised where the answer is collected"""


class Answer(NamedTuple):
    job: Job
    result: Any
    asked_at: float
    """seconds of the clock, when a thread took the job"""


class _Asking(NamedTuple):
    thread: threading.Thread
    job: Job
    since: float


class ReaderThreads:
    """For one thread, the agent's own; `wake` is called in another one when answers are there."""

    def __init__(self, wake: Callable[[], object], clock: Callable[[], float]) -> None:
        self._wake = wake
        self._clock = clock
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._asking: dict[str, _Asking] = {}
        self._in_flight: set[str] = set()
        self._current = self._start()

    def submit(self, job: Job) -> bool:
        """False: the key's last job has not been collected yet, and this one is not taken."""
        if job.key in self._in_flight:
            return False
        self._in_flight.add(job.key)
        self._jobs.put(job)
        return True

    def collect(self) -> list[Answer]:
        """The answers that have come since the last call."""
        answers = []
        while not self._answers.empty():
            answer = self._answers.get()
            self._in_flight.discard(answer.job.key)
            if isinstance(answer.result, Exception):
                raise answer.result
            answers.append(answer)
        return answers

    def is_in_flight(self, key: str) -> bool:
        """A job of the key was submitted, and its answer has not been collected."""
        return key in self._in_flight

    def waited_for(self, key: str, now: float) -> tuple[float, str] | None:
        """For how many seconds a thread has been waiting for the key's answer, and for which path."""
        asking = self._asking.get(key)
        return None if asking is None else (now - asking.since, asking.job.files.at)

    def reinforce(self) -> bool:
        """Starts another thread where jobs wait for one that does not come back. False: no job waits."""
        if self._jobs.empty():
            return False
        self._current = self._start()
        return True

    @property
    def stuck(self) -> int:
        """How many threads wait for a driver besides the one that takes jobs."""
        return sum(asking.thread is not self._current for asking in list(self._asking.values()))

    def _start(self) -> threading.Thread:
        before = threading.stack_size(_STACK_BYTES)
        thread = threading.Thread(target=self._serve, name="reader", daemon=True)
        self._current = thread
        thread.start()
        threading.stack_size(before)
        return thread

    def _serve(self) -> None:
        me = threading.current_thread()
        while me is self._current:
            job = self._jobs.get()
            asked_at = self._clock()
            self._asking[job.key] = _Asking(me, job, asked_at)
            try:
                result = job.work()
            except Exception as error:  # noqa: BLE001  # not lost: whoever collects it raises it
                result = error
            del self._asking[job.key]
            self._answers.put(Answer(job, result, asked_at))
            if self._jobs.empty():
                self._wake()
