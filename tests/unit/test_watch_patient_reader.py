"""Asking drivers that may hang: nobody waits for another's answer, and each answer goes to whom it belongs."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.reader_threads import Job
from furiosa_npu.watch.patient_reader import NoAnswer, PatientReader

PATIENCE = 2.0
LONG = 30.0
"""real seconds after which a test gives up"""


async def a_moment() -> None:
    """Lets the threads and the loop go on: no event tells of what is waited for."""
    await asyncio.sleep(0.001)


class Driver:
    """One card's. It tells how often it was asked when it was; while it `hangs`, once it is told to answer."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.hangs = False
        self.thread: threading.Thread | None = None
        """the one that asked it last"""
        self._asked = 0
        self._waiting: list[threading.Event] = []
        self._taken = threading.Semaphore(0)

    def job(self, key: str) -> Job:
        files = Files()
        return Job(key, files, lambda: self._work(files))

    def _work(self, files: Files) -> int:
        self._asked = asked = self._asked + 1
        self.thread = threading.current_thread()
        files.at = self.path
        if self.hangs:
            waits = threading.Event()
            self._waiting.append(waits)
            self._taken.release()
            assert waits.wait(LONG)
        return asked

    async def until_it_hangs(self) -> None:
        """So often as this is awaited."""
        assert await asyncio.to_thread(self._taken.acquire, timeout=LONG)

    def answer(self) -> None:
        """All that waits."""
        for waits in self._waiting:
            waits.set()


class Machine:
    """A reader, its clock, and three cards' drivers."""

    def __init__(self) -> None:
        self.now = 100.0
        self.clock_reads = 0
        self.reader = PatientReader(PATIENCE, self._clock)
        self.drivers = {key: Driver(f"/sys/{key}/heartbeat") for key in ("npu0", "npu1", "npu2")}

    def _clock(self) -> float:
        self.clock_reads += 1
        return self.now

    async def ask(self, *keys: str) -> dict[str, Any]:
        return await self.reader.ask([self.drivers[key].job(key) for key in keys])

    async def ask_until(self, *keys: str) -> dict[str, Any]:
        """The first answers that there are, on however slow a machine."""
        async with asyncio.timeout(LONG):
            while not (answers := await self.ask(*keys)):
                await a_moment()
        return answers

    async def ask_all(self, *keys: str) -> dict[str, Any]:
        """An answer of each, on however slow a machine."""
        answers: dict[str, Any] = {}
        while set(answers) != set(keys):
            answers |= await self.ask_until(*keys)
        return answers

    def ask_one(self, key: str) -> Any:
        return self.reader.ask_one(self.drivers[key].job(key))

    async def hang(self, *keys: str) -> None:
        """Each is asked, and does not answer."""
        for key in keys:
            self.drivers[key].hangs = True
            assert await self.ask(key) == {}
            await self.drivers[key].until_it_hangs()

    async def look_at_the_clock(self, times: int) -> None:
        """Returns when the reader has."""
        until = self.clock_reads + times
        async with asyncio.timeout(LONG):
            while self.clock_reads < until:
                await a_moment()


def run(story: Callable[[Machine], Awaitable[None]]) -> None:
    async def main() -> None:
        machine = Machine()
        try:
            await story(machine)
        finally:
            for driver in machine.drivers.values():
                driver.hangs = False
                driver.answer()

    asyncio.run(main())


def test_a_driver_that_hangs_keeps_nobody_elses_answer() -> None:
    """`ask` comes back though one job does not, with the others' answers."""

    async def story(machine: Machine) -> None:
        machine.drivers["npu0"].hangs = True
        answers = await machine.ask_until("npu0", "npu1", "npu2")
        while len(answers) < 2:
            answers |= await machine.ask_until("npu1", "npu2")
        assert set(answers) == {"npu1", "npu2"}
        assert machine.reader.hanging("npu0") is None, "it has not been waited for long enough"

    run(story)


def test_a_late_answer_goes_to_the_next_ask_of_its_key() -> None:
    """And to no other caller; once told, it is not told again."""

    async def story(machine: Machine) -> None:
        await machine.hang("npu0")
        machine.drivers["npu0"].answer()
        for _ in range(3):
            assert set(await machine.ask_until("npu1")) == {"npu1"}
            assert await machine.ask_one("npu2") > 0
        # The second question hangs too: what is told is the answer to the first.
        assert await machine.ask_until("npu0") == {"npu0": 1}
        assert await machine.ask("npu0") == {}

    run(story)


def test_who_did_not_wait_for_a_late_answer_is_told_that_it_has_come() -> None:
    """Once; of what was waited for nothing is told. It is news until it was asked for."""

    async def story(machine: Machine) -> None:
        told: list[dict[str, Any]] = []
        come = asyncio.Event()

        def late() -> None:
            told.append(machine.reader.news(machine.drivers))
            come.set()

        await machine.ask_all("npu1", "npu2")
        await machine.hang("npu0")
        machine.reader.on_late = late
        machine.drivers["npu0"].hangs = False
        machine.drivers["npu0"].answer()
        async with asyncio.timeout(LONG):
            await come.wait()
        assert await machine.ask_one("npu0") == 2
        assert told == [{"npu0": 1}]

    run(story)


def test_a_new_answer_takes_the_place_of_a_late_one() -> None:
    """Where the driver answers again, nobody is told what was before."""

    async def story(machine: Machine) -> None:
        await machine.hang("npu0")
        machine.drivers["npu0"].hangs = False
        machine.drivers["npu0"].answer()
        assert await machine.ask_one("npu0") > 1
        assert (await machine.ask_until("npu0"))["npu0"] > 1

    run(story)


def test_an_answer_older_than_the_patience_is_dropped() -> None:
    """It tells of a time when the driver was not answering."""

    async def story(machine: Machine) -> None:
        await machine.hang("npu0")
        machine.now += PATIENCE
        assert machine.reader.hanging("npu0") == "/sys/npu0/heartbeat"
        machine.drivers["npu0"].hangs = False
        machine.drivers["npu0"].answer()
        assert (await machine.ask_until("npu0"))["npu0"] > 1
        assert machine.reader.hanging("npu0") is None

    run(story)


def test_what_a_last_look_was_told_is_no_answer_to_a_much_later_ask() -> None:
    """The card was gone meanwhile, and nobody asked for it; back again, its driver takes its time."""

    async def story(machine: Machine) -> None:
        assert await machine.ask_one("npu0") == 1
        machine.now += PATIENCE
        await machine.hang("npu0")

    run(story)


def test_an_answer_is_never_one_to_an_earlier_question() -> None:
    """Who asks one card is told what was read after the call, though an earlier reading was under way."""

    async def story(machine: Machine) -> None:
        await machine.hang("npu0")
        asking = asyncio.create_task(machine.ask_one("npu0"))
        await machine.look_at_the_clock(2)
        machine.drivers["npu0"].hangs = False
        machine.drivers["npu0"].answer()
        assert await asking == 2

    run(story)


def test_a_driver_is_waited_for_as_long_as_the_patience() -> None:
    """Not shorter; then NoAnswer names the path."""

    async def story(machine: Machine) -> None:
        machine.drivers["npu0"].hangs = True
        asking = asyncio.create_task(machine.ask_one("npu0"))
        await machine.drivers["npu0"].until_it_hangs()
        machine.now += PATIENCE - 0.01
        await machine.look_at_the_clock(3)
        assert not asking.done()
        machine.now += 0.01
        with pytest.raises(NoAnswer) as caught:
            await asking
        assert caught.value.path == "/sys/npu0/heartbeat"

    run(story)


def test_who_asks_a_card_that_hangs_for_another_waits_for_no_more_than_the_patience() -> None:
    """Its own question was never put: the path is the one that the other waits for."""

    async def story(machine: Machine) -> None:
        await machine.hang("npu0")
        machine.now += PATIENCE / 2
        asking = asyncio.create_task(machine.ask_one("npu0"))
        await machine.look_at_the_clock(2)
        machine.now += PATIENCE
        with pytest.raises(NoAnswer) as caught:
            await asking
        assert caught.value.path == "/sys/npu0/heartbeat"

    run(story)


def test_a_driver_that_is_known_to_hang_is_not_waited_for() -> None:
    """NoAnswer comes before the first await; another card is answered all the same."""

    async def story(machine: Machine) -> None:
        await machine.hang("npu0")
        machine.now += PATIENCE
        asking = machine.ask_one("npu0")
        with pytest.raises(NoAnswer, match="/sys/npu0/heartbeat"):
            asking.send(None)
        assert await machine.ask_one("npu1") == 1

    run(story)


def test_there_are_never_more_threads_than_cards_that_hang_and_one() -> None:
    """However often they are asked; those that wait end when they are let go."""

    def readers() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "reader"}

    before = readers()

    async def story(machine: Machine) -> None:
        await machine.hang("npu0", "npu1")
        for _ in range(5):
            assert set(await machine.ask_until("npu0", "npu1", "npu2")) == {"npu2"}
            machine.now += PATIENCE
            for key in ("npu0", "npu1"):
                with pytest.raises(NoAnswer):
                    await machine.ask_one(key)
        assert machine.reader.stuck_threads == 2
        async with asyncio.timeout(LONG):
            while len(readers() - before) != 3:  # one that was slow was taken for one that hangs, and ends
                await a_moment()
        for key in ("npu0", "npu1"):
            machine.drivers[key].hangs = False
            machine.drivers[key].answer()
            await machine.ask_until(key)
        async with asyncio.timeout(LONG):
            while len(readers() - before) > 1:
                await a_moment()
        assert machine.reader.stuck_threads == 0

    run(story)


def test_an_error_of_ours_is_raised_where_it_was_asked_for() -> None:
    """The agent ends with it, and does not go on blind; what else was asked at the time has its answer."""

    def broken() -> object:
        raise ZeroDivisionError

    async def ask_on_and_on(machine: Machine) -> None:
        while not await machine.reader.ask([Job("npu1", Files(), broken)]):
            await a_moment()

    async def story(machine: Machine) -> None:
        others = asyncio.create_task(machine.ask_all("npu0", "npu2"))
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(ask_on_and_on(machine), LONG)
        assert set(await others) == {"npu0", "npu2"}
        with pytest.raises(ZeroDivisionError):
            await machine.reader.ask_one(Job("npu1", Files(), broken))
        assert await machine.ask_one("npu1") > 0
        assert set(await machine.ask_all("npu0", "npu1")) == {"npu0", "npu1"}

    run(story)


def test_the_last_of_a_batch_that_hangs_keeps_no_earlier_answer() -> None:
    """What was answered before it is told at once, and who asks such a card alone is answered."""

    async def story(machine: Machine) -> None:
        machine.drivers["npu2"].hangs = True
        answers = await machine.ask("npu0", "npu1", "npu2")
        if len(answers) < 2:
            answers |= await machine.ask_all(*{"npu0", "npu1"} - set(answers))
        assert set(answers) == {"npu0", "npu1"}
        async with asyncio.timeout(LONG):
            assert await machine.ask_one("npu0") > answers["npu0"]

    run(story)


def test_a_machine_without_threads_to_give_is_not_the_end_of_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits behind a driver that hangs is read when there are threads again."""

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def story(machine: Machine) -> None:
        machine.drivers["npu0"].hangs = True
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", refused)
            assert await machine.ask("npu0", "npu1") == {}
        assert set(await machine.ask_all("npu2", "npu1")) == {"npu1", "npu2"}

    run(story)


def test_an_answer_that_comes_after_the_agents_end_goes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread says nothing of it: there is no loop any more that it could wake, and nobody waits."""

    async def agent() -> Machine:
        machine = Machine()
        await machine.hang("npu0")
        assert set(await machine.ask_until("npu1")) == {"npu1"}  # in another thread: that one ends when it is let go
        return machine

    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    driver = asyncio.run(agent()).drivers["npu0"]
    driver.answer()
    assert driver.thread is not None
    driver.thread.join(LONG)
    assert (driver.thread.is_alive(), failures) == (False, [])
