"""Work that may block, beside the loop."""

import asyncio
import threading

import pytest

from furiosa_npu.dra_driver.in_thread import in_thread

LONG = 30.0
"""real seconds after which a test gives up"""


def test_what_the_work_tells_comes_back_from_another_thread() -> None:
    """And the thread ends with it."""
    worker = asyncio.run(in_thread(threading.current_thread))
    worker.join(LONG)
    assert (worker is threading.main_thread(), worker.is_alive()) == (False, False)


@pytest.mark.parametrize("kind", [ZeroDivisionError, RuntimeError])
def test_what_the_work_raises_is_raised(kind: type[Exception]) -> None:
    """Where it is waited for, and the work is done once."""
    done = []

    def work() -> None:
        done.append(1)
        raise kind

    with pytest.raises(kind):
        asyncio.run(in_thread(work))
    assert done == [1]


def test_on_a_machine_without_threads_to_give_the_work_is_done_when_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent goes on meanwhile."""
    start = threading.Thread.start
    refusals = [1, 2]

    def refused(thread: threading.Thread) -> None:
        if refusals:
            refusals.pop()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert asyncio.run(in_thread(lambda: "done")) == "done"


def test_work_that_nobody_waits_for_goes_on_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is broken off leaves its files whole; after the loop's end nothing is said of it."""
    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    begun, goes_on, workers = threading.Event(), threading.Event(), []

    def work() -> None:
        workers.append(threading.current_thread())
        begun.set()
        assert goes_on.wait(LONG)

    async def broken_off() -> None:
        call = asyncio.create_task(in_thread(work))
        while not begun.is_set():  # noqa: ASYNC110 - a thread tells of it
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(broken_off())
    goes_on.set()
    workers[0].join(LONG)
    assert (workers[0].is_alive(), failures) == (False, [])
