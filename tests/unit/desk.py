"""Stands for a `PatientReader` in tests: asks drivers at once, keeps back what a silent one says, and keeps count."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from furiosa_npu.hardware.reader_threads import Job
from furiosa_npu.watch.patient_reader import NoAnswer, PatientReader


class Desk:
    """What `PatientReader` promises, without threads: a key is asked once at a time; a late answer goes to the key's
    next `ask`, and to nobody where it comes after the patience.
    """

    def __init__(self, patience_seconds: float, clock: Callable[[], float]) -> None:
        self.silent: set[str] = set()
        """keys whose drivers do not answer, from the next question on"""
        self.asked: list[str] = []
        """the key of each question that was put"""
        self._patience = patience_seconds
        self._clock = clock
        self._waiting: dict[str, tuple[Any, float]] = {}
        self._answers: dict[str, Any] = {}

    @property
    def as_reader(self) -> PatientReader:
        return cast(PatientReader, self)

    def is_waiting(self, key: str) -> bool:
        """It was asked, and has not answered."""
        return key in self._waiting

    def answer(self, *keys: str) -> None:
        """What was asked of them is answered with what was the case then, and what will be, is answered at once."""
        for key in keys:
            self.silent.discard(key)
            result, since = self._waiting.pop(key)
            if self._clock() - since < self._patience:
                self._answers[key] = result

    async def ask(self, jobs: Sequence[Job]) -> dict[str, Any]:
        for job in jobs:
            if job.key in self._waiting:
                continue
            self.asked.append(job.key)
            if job.key in self.silent:
                self._waiting[job.key] = job.work(), self._clock()
            else:
                self._answers[job.key] = job.work()
        return self.news(job.key for job in jobs)

    def news(self, keys: Iterable[str]) -> dict[str, Any]:
        return {key: self._answers.pop(key) for key in keys if key in self._answers}

    async def ask_one(self, job: Job) -> Any:
        """A silent driver is not waited for: the clock would have to go on meanwhile."""
        if job.key in self.silent:
            raise NoAnswer(_path(job.key))
        self.asked.append(job.key)
        return job.work()

    def hanging(self, key: str) -> str | None:
        waiting = self._waiting.get(key)
        return None if waiting is None or self._clock() - waiting[1] < self._patience else _path(key)


def _path(key: str) -> str:
    return f"/sys/{key}"
