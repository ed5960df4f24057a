"""Threads that read: a job that does not come back holds its thread alone, and is found out by key and path."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable

import pytest

from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.reader_threads import Answer, Batch, Job, ReaderThreads

PATIENCE = 20.0


class Machine:
    """Reader threads whose answers can be waited for, and drivers that answer when told."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.woken = threading.Semaphore(0)
        self.threads = ReaderThreads(self.woken.release, clock)

    def job(self, key: str, work: Callable[[], object] = lambda: "text") -> Job:
        return Job(key, Files(), work)

    def results(self, count: int = 1) -> list[tuple[str, object]]:
        answers: list[Answer] = []
        while len(answers) < count:
            assert self.woken.acquire(timeout=PATIENCE)
            answers += self.threads.collect()
        return [(answer.job.key, answer.result) for answer in answers]


class Driver:
    """A driver that does not answer until `answer` is called."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._told = threading.Event()

    def read(self) -> str:
        self.asked.set()
        assert self._told.wait(PATIENCE)
        return "late"

    def answer(self) -> None:
        self._told.set()


def test_jobs_are_answered_in_their_order() -> None:
    """All of a batch, by one thread."""
    machine = Machine()
    batch = machine.threads.submit([machine.job("first"), machine.job("second", lambda: "other")])
    assert machine.results(2) == [("first", "text"), ("second", "other")]
    assert batch.unanswered == 0


def test_an_urgent_job_is_answered_before_those_that_wait() -> None:
    """Whoever asks for a card now does not wait for a look at all of them."""
    machine = Machine()
    driver = Driver()
    machine.threads.submit([machine.job("npu0", driver.read), machine.job("npu1"), machine.job("npu2")])
    assert driver.asked.wait(PATIENCE)
    machine.threads.submit([machine.job("npu3")], urgent=True)
    driver.answer()
    assert machine.results(4) == [("npu0", "late"), ("npu3", "text"), ("npu1", "text"), ("npu2", "text")]


def test_a_driver_that_hangs_keeps_nobody_waiting() -> None:
    """Another thread takes what waits; the stuck one is counted, named by key and path, and ends when it is let go."""
    machine = Machine()
    driver, started = Driver(), time.monotonic()
    stuck = machine.job("npu0", driver.read)
    stuck.files.at = "/sys/x/heartbeat"
    batch = machine.threads.submit([stuck, machine.job("npu1")])
    assert driver.asked.wait(PATIENCE)
    assert machine.threads.reinforce(batch)
    assert machine.results() == [("npu1", "text")]
    waited = machine.threads.waited_for("npu0", time.monotonic() + 5)
    assert waited is not None
    assert waited[0] >= 5
    assert waited[1] == "/sys/x/heartbeat"
    assert (machine.threads.stuck(math.inf), machine.threads.waited_for("npu1", 0.0), batch.unanswered) == (1, None, 1)
    assert machine.threads.stuck(started) == 0, "it may be slow"
    driver.answer()
    assert machine.results() == [("npu0", "late")]
    assert (machine.threads.stuck(math.inf), batch.unanswered) == (0, 0)


def test_a_batch_behind_one_that_hangs_is_taken_by_another_thread() -> None:
    """Its jobs have not been taken by anybody."""
    machine = Machine()
    driver = Driver()
    machine.threads.submit([machine.job("npu0", driver.read)])
    assert driver.asked.wait(PATIENCE)
    behind = machine.threads.submit([machine.job("npu1")])
    assert machine.threads.reinforce(behind)
    assert machine.results() == [("npu1", "text")]
    driver.answer()
    assert machine.results() == [("npu0", "late")]


def test_a_key_is_asked_once_at_a_time() -> None:
    """So there are never more threads than keys, and one: a card that hangs is not asked again."""
    machine = Machine()
    driver = Driver()
    machine.threads.submit([machine.job("npu0", driver.read)])
    assert driver.asked.wait(PATIENCE)
    again = machine.threads.submit([machine.job("npu0")])
    assert again.unanswered == 0
    assert not machine.threads.reinforce(again), "nothing waits, so no thread is started"
    driver.answer()
    assert machine.results() == [("npu0", "late")]
    machine.threads.submit([machine.job("npu0")])
    assert machine.results() == [("npu0", "text")]


def test_a_thread_that_is_replaced_between_two_jobs_is_not_lost_sight_of() -> None:
    """It had taken the next job already, whose driver then hangs: that is seen, and counted. When let go, it ends."""
    taken, replaced, takes = threading.Event(), threading.Event(), iter(range(3))

    def clock() -> float:
        """Read as a job is taken."""
        if next(takes) == 1:
            taken.set()
            assert replaced.wait(PATIENCE)
        return 0.0

    machine = Machine(clock)
    driver = Driver()
    batch = machine.threads.submit([machine.job("npu0"), machine.job("npu1", driver.read), machine.job("npu2")])
    assert taken.wait(PATIENCE)
    assert machine.threads.reinforce(batch)
    replaced.set()
    assert driver.asked.wait(PATIENCE)
    assert machine.results(2) == [("npu0", "text"), ("npu2", "text")]
    assert machine.threads.waited_for("npu1", 5.0) == (5.0, "")
    assert machine.threads.stuck(math.inf) == 1
    driver.answer()
    assert machine.results() == [("npu1", "late")]
    assert machine.threads.stuck(math.inf) == 0


def broken() -> object:
    raise ZeroDivisionError


def test_an_error_of_ours_is_an_answer_among_the_others() -> None:
    """None of them is lost to it."""
    machine = Machine()
    batch = machine.threads.submit([machine.job("npu0"), machine.job("npu1", broken), machine.job("npu2")])
    results = machine.results(3)
    assert [(key, type(result)) for key, result in results] == [
        ("npu0", str),
        ("npu1", ZeroDivisionError),
        ("npu2", str),
    ]
    assert batch.unanswered == 0


def test_what_waits_where_no_thread_was_to_be_had_is_read_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the next time that anything is asked, though it be of cards that wait already."""

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    machine = Machine()
    driver = Driver()
    batch = machine.threads.submit([machine.job("npu0", driver.read), machine.job("npu1")])
    assert driver.asked.wait(PATIENCE)
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refused)
        assert not machine.threads.reinforce(batch)
        machine.threads.submit([machine.job("npu1")])
        waited = machine.threads.waited_for("npu0", 5.0)
        assert waited is not None, "it is not lost sight of"
    machine.threads.submit([machine.job("npu1")])
    assert machine.results() == [("npu1", "text")]
    driver.answer()
    assert machine.results() == [("npu0", "late")]
    assert machine.threads.stuck(math.inf) == 0


def test_two_threads_that_take_the_last_jobs_at_once_both_go_on() -> None:
    """One replaced between its check and its take meets its successor there; neither dies of it, no job is lost."""
    machine = Machine()
    took_first, took_second = threading.Event(), threading.Event()

    class Meeting(deque[Job]):
        """The switch of threads that the interpreter may make after any call."""

        def popleft(self) -> Job:
            job = super().popleft()
            if job.key == "npu0":
                took_first.set()
                assert took_second.wait(PATIENCE)
            return job

    def second() -> str:
        took_second.set()
        return "text"

    batch = Batch([])
    batch.waiting, batch.unanswered = Meeting([machine.job("npu0"), machine.job("npu1", second)]), 2
    machine.threads._batches.append(batch)
    machine.threads._tell()
    assert took_first.wait(PATIENCE)
    assert machine.threads.reinforce(batch)
    assert sorted(machine.results(2)) == [("npu0", "text"), ("npu1", "text")]
