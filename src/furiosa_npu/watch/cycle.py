"""Keeps time: when the cards are looked at, when the kubelet is asked who holds them, when what is known is kept."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Protocol

from furiosa_npu.allocation.ledger import Holding, Ledger, Observation
from furiosa_npu.watch.card_readings import CardReadings
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.disable_list import DisableList
from furiosa_npu.watch.events import Events
from furiosa_npu.watch.kubelet_books import PodRef
from furiosa_npu.watch.memory_file import MemoryFile
from furiosa_npu.watch.npu_pool import NpuPool
from furiosa_npu.watch.process import collect_garbage

SOON_SECONDS = 0.2
"""Before the next look while a card waits for a reading to decide."""
BURST_SECONDS = 0.02
"""From an event to the look that it brings: a driver that loads makes a hundred files."""
OPENED_SECONDS = 1.0
"""At least so long lies between two looks at all processes that opens and closes of device files bring: a process may
do that in a loop."""
FIRST_LOOK_SECONDS = 0.5
"""So long the first list waits for drivers that are slow; one that hangs keeps no other card from the node."""
FIRST_LOOK_PAUSE_SECONDS = 0.02
MEMORY_SECONDS = 10.0
"""So often is looked whether something is to be remembered where no state changed: that a heartbeat moved."""


class Books(Protocol):
    """Who tells what of the pool is held."""

    answered: bool
    """who is to be asked has answered once"""

    @property
    def containers(self) -> Mapping[Holding, tuple[PodRef, ...]]:
        """Who held what at the last answer."""
        ...

    async def at_start(self) -> Observation:
        """Before anything is offered."""
        ...

    async def observe(self, ledger: Ledger) -> Observation: ...


class Cycle:
    """One agent's: `look` and `settle` for as long as the agent lives."""

    def __init__(
        self,
        seconds: float,
        devfs: str,
        readings: CardReadings,
        pool: NpuPool,
        books: Books,
        memory: MemoryFile,
        disable: DisableList,
        conditions: Conditions,
        clock: Callable[[], float],
        on_folder: Callable[[], None],
        on_containers: Callable[[], None],
        before_look: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`seconds`: from one look to the next; `on_folder` is called in each look where no event tells of the
        kubelet's folder, `on_containers` where the kubelet shows others than before. `before_look` takes in who has
        been given cards since the look before, or they would be taken for strangers; the look waits for it."""
        self.turned_at = clock()
        """when the loop that looks came round"""
        self._seconds = seconds
        self._devfs = devfs
        self._readings = readings
        self._pool = pool
        self._books = books
        self._memory = memory
        self._disable = disable
        self._conditions = conditions
        self._clock = clock
        self._on_folder = on_folder
        self._on_containers = on_containers
        self._before_look = before_look
        self._due = asyncio.Event()
        self._whole = False
        """the look that is due asks for all; else it takes in what has answered late"""
        self._known = asyncio.Event()
        self._held = asyncio.Event()
        self._devices_changed = self._users_changed = True
        self._opened = False
        """a device file was opened or closed since the users were looked at"""
        self._users_looked_at = clock() - OPENED_SECONDS
        self._watched: tuple[str, ...] = ()
        """device files of which it is to be told who opens them"""
        self._remembered_at: float | None = None
        self._changed = False

    def devices_changed(self) -> None:
        """Device files came or went."""
        self._devices_changed = self._users_changed = True
        self._hurry()

    def users_changed(self) -> None:
        """Somebody opened or closed a device file: looked at at once, or when a second is over since the last look."""
        self._pool.users_are_known = False
        if not self._opened:
            self._opened = True
            pause = self._users_looked_at + OPENED_SECONDS - self._clock()
            if pause > 0:
                asyncio.get_running_loop().call_later(pause, self._hurry)
            else:
                self._hurry()

    def pod_ended(self) -> None:
        """Whoever still has the card open outlives its pod."""
        self._users_changed = True
        self._hurry()

    def answered_late(self) -> None:
        """A driver that a look did not wait for: what it told is taken in at once, and the next look is when it was."""
        self._due.set()

    def pool_changed(self) -> None:
        """There is something to remember, and perhaps somebody who holds a card."""
        self._changed = True
        if self._pool.ledger.entries:
            self._held.set()

    async def seen(self) -> None:
        """Returns after the first look at all cards, whoever holds them."""
        await self._known.wait()

    async def answered(self) -> None:
        """Returns when each card that was there at the start has answered, or been silent for too long.

        For who would take back what an earlier agent said of a card of which nothing is known yet.
        """
        await self._known.wait()
        while self._readings.is_waited_for:  # noqa: ASYNC110  # the looks bring it about, and tell nobody
            await asyncio.sleep(FIRST_LOOK_PAUSE_SECONDS)

    async def know(self) -> None:
        """Before a list or a card goes out: the first look, and what the kubelet had handed out under an earlier agent.

        The plugin registers meanwhile: its registration is with the kubelet 10 ms sooner, of 60.
        """
        await self._known.wait()
        while not self._books.answered:
            if await self._ask_the_kubelet():
                self._books.answered = True
            else:
                await asyncio.sleep(self._seconds)

    async def look(self, events: Events) -> None:
        """Looks at all cards in each cycle, and where something happened."""
        await self._first_look(events)
        loop = asyncio.get_running_loop()
        next_at = loop.time() + self._pause
        while True:
            self.turned_at = self._clock()
            timer = loop.call_at(next_at, self._hurry)
            await self._due.wait()
            timer.cancel()
            if self._devices_changed or self._users_changed or self._opened or not self._whole:
                await asyncio.sleep(BURST_SECONDS)
            self._due.clear()
            whole, self._whole = self._whole, False
            if self._before_look is not None:
                await self._before_look()
            await self._scan(events, is_late=not whole)
            soon = loop.time() + self._pause
            next_at = soon if whole else min(next_at, soon)

    async def settle(self) -> None:
        """Asks the kubelet in each cycle who holds what, as long as anybody does."""
        await self._known.wait()
        while True:
            if not self._pool.ledger.entries:
                self._held.clear()
                await self._held.wait()
            await asyncio.sleep(self._seconds)
            before = self._books.containers
            if self._pool.settle(await self._books.observe(self._pool.ledger)):
                self.pod_ended()
            if self._books.containers != before:
                self._on_containers()

    def _hurry(self) -> None:
        self._whole = True
        self._due.set()

    @property
    def _pause(self) -> float:
        """Seconds until the next look where nothing happens."""
        return SOON_SECONDS if self._pool.undecided else self._seconds

    async def _first_look(self, events: Events) -> None:
        """All cards are known then, but those whose drivers do not answer, and who holds them."""
        until = self._clock() + FIRST_LOOK_SECONDS
        await self._scan(events)
        while self._readings.is_waited_for and self._clock() < until:
            await asyncio.sleep(FIRST_LOOK_PAUSE_SECONDS)
            await self._scan(events)
        await self._ask_the_kubelet()
        self._known.set()

    async def _ask_the_kubelet(self) -> bool:
        """Whether it told anything, by pod-resources or its checkpoint."""
        seen = await self._books.at_start()
        self._pool.settle(seen)
        self._on_containers()
        return seen.listed is not None or seen.recorded is not None

    async def _scan(self, events: Events, *, is_late: bool = False) -> None:
        events.renew()
        if not events.of_folder:
            self._on_folder()
        disable = self._disable.now()
        if disable != self._pool.rules.disable:
            self._pool.rules = self._pool.rules._replace(disable=disable)
        anew = users_anew = False
        if not is_late:
            anew, users_anew = self._devices_changed or not events.of_devices, self._users_are_due()
            self._devices_changed = False
        await self._pool.scan(anew=anew, users_anew=users_anew, is_late=is_late)
        if self._pool.all_seen:
            self._disable.compare(self._pool.pool)
        paths = tuple(self._device_paths())
        if anew or paths != self._watched:  # a card may answer later than its device files are there
            self._watched = paths
            events.renew(paths)
        self._pool.users_are_known = events.of_opens and not self._opened
        folder = self._readings.host_hangs()
        if folder is None:
            self._conditions.well("host")
        else:
            self._conditions.trouble("host", f"no answer from {folder}: cards that come or go are not seen")
        if (failure := self._pool.users_failure) is None:
            self._conditions.well("processes")
        else:
            self._conditions.remark("processes", failure)
        await self._remember()
        collect_garbage()

    def _users_are_due(self) -> bool:
        """And taken as looked at, if so."""
        now = self._clock()
        if not self._users_changed and not (self._opened and now - self._users_looked_at >= OPENED_SECONDS):
            return False
        self._users_changed = self._opened = False
        self._users_looked_at = now
        return True

    async def _remember(self) -> None:
        now = self._clock()
        if self._changed or self._remembered_at is None or now - self._remembered_at >= MEMORY_SECONDS:
            self._changed, self._remembered_at = False, now
            await self._memory.keep(self._pool.verdicts, self._pool.cards)

    def _device_paths(self) -> Iterator[str]:
        """Of the device files that compute."""
        for unit in self._pool.pool.values():
            for file in unit.card.compute_files:
                yield f"{self._devfs}/{file.path}"
