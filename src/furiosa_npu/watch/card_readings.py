"""All cards read in each cycle, one card at the last look; a driver that hangs keeps neither waiting."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from furiosa_npu.hardware.card_reader import CardReader
from furiosa_npu.hardware.cards import with_driverless
from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.inventory import Found, Inventory, Lister
from furiosa_npu.hardware.open_probe import busy_files
from furiosa_npu.hardware.reader_threads import Job
from furiosa_npu.hardware.reading import Reading, Roots
from furiosa_npu.health.history import went_back
from furiosa_npu.watch.patient_reader import NoAnswer, PatientReader

_HOST = "host"
_NOT_LISTED = Inventory((), (), ())
FRESH_SECONDS = 5.0
"""So often a card is told anew though nothing changed but its heartbeat: well within the time that is given to one that
stands still."""
WHOLE_SECONDS = 3.0
"""So often one card, in turn, is read whole."""
LIST_SECONDS = 10.0
"""So often the folders are listed where nothing happens: device files that come or go are told by events, a management
folder that goes by its files; a PCI device that no driver takes is told by nobody."""


class _Every:
    """Something that is due at once, and again so many seconds after it was done."""

    def __init__(self, seconds: float) -> None:
        # A cycle that comes a little early is not one too early.
        self._seconds = seconds - 0.1
        self._done_at: float | None = None
        self._wanted_at = float("-inf")

    def is_due(self, now: float) -> bool:
        return self._done_at is None or now - self._done_at >= self._seconds

    def done(self, at: float) -> None:
        """What was done before it was wanted is not what was wanted."""
        if at >= self._wanted_at:
            self._done_at = at

    def hurry(self, now: float) -> None:
        self._done_at, self._wanted_at = None, now


class _Listing(NamedTuple):
    inventory: Inventory
    asked_at: float
    """seconds of the clock"""


class _Address(NamedTuple):
    bdf: str
    uuid: str | None
    """of the card that told it"""


class CardReadings:
    """Readings of this host's cards."""

    def __init__(self, roots: Roots, reader: PatientReader, clock: Callable[[], float]) -> None:
        self._roots = roots
        self._reader = reader
        self._clock = clock
        self._lister = Lister(roots)
        self._inventory = _NOT_LISTED
        self._readers: dict[str, CardReader] = {}
        self._last: dict[str, Reading] = {}
        self._addresses: dict[str, _Address] = {}
        """what cards told last, also of those that are not there any more"""
        self._reset: set[str] = set()
        """cards whose heartbeats went back since they were read whole: others may be in their slots"""
        self._silent: dict[str, str] = {}
        """cards whose drivers did not answer in time, and have not since: where they were asked"""
        self._fresh = _Every(FRESH_SECONDS)
        self._whole = _Every(WHOLE_SECONDS)
        self._list = _Every(LIST_SECONDS)
        self._turn = 0
        self._quiet_of: Inventory | None = None
        self._quiet: list[Job] = []
        self._has_problems = False
        self._told_last: list[Reading] = []
        self.awaited: frozenset[str] = frozenset()
        """keys of what was asked in the last look and had not answered at its end: it is told as it was"""
        self._all: Sequence[Reading] = ()

    async def all(self, *, anew: bool, probe: frozenset[str] = frozenset(), is_late: bool = False) -> Sequence[Reading]:
        """Every card of the host. `anew`: all facts of all; else all of one card in turn, of those with problems, and
        of those that were reset, of the others what moves; `is_late`: what has answered since the last call is taken
        in, and no more is asked than follows from it.

        `probe`: keys of the cards whose device files may be opened to see whether they are in use: nobody holds them.
        They are opened as part of the reading, so that a last look (`one`) comes before or after, never meanwhile.
        A card whose driver has not answered for the time of patience says so in `unanswered`; one that was asked a
        moment ago is as it was; one that does not tell its PCI address any more has the one that it told. The same
        object as before, where nothing changed but heartbeats that go on.
        """
        before = self._inventory
        now = self._clock()
        if is_late:
            answers = self._reader.news((_HOST, *map(_key, before.cards)))
            self.awaited -= answers.keys()
            self._reset -= answers.keys()  # what was asked of them last is the whole
            self._take(answers)
        else:
            await self._ask_all(probe, now, anew=anew)
        if anew or self._inventory is not before:
            await self._ask(self._jobs(self._inventory, probe, now, anew=anew))
        if self._reset:
            of_reset = [found for found in self._inventory.cards if _key(found) in self._reset]
            await self._ask([self._job(found, probe, whole=True, fresh=True) for found in of_reset])
            self._reset &= self.awaited
        told = [*self._placed([*self._told()])]
        if told != self._told_last or self._inventory is not before:
            self._told_last = told
            self._has_problems = any(reading.problems for reading in told)
            there = {_key(found) for found in self._inventory.cards}
            let_go = {address.bdf for key, address in self._addresses.items() if key not in there}
            if not there <= self._last.keys():
                let_go = set()  # what was not read yet may be one of them under another number
            self._all = with_driverless(self._roots.sysfs, self._inventory, told, let_go)
        return self._all

    @property
    def is_waited_for(self) -> bool:
        """Something was asked for the first time, and has neither answered yet nor been silent for too long."""
        if self._list.is_due(self._clock()):
            return self.host_hangs() is None
        return any(
            _key(found) not in self._last and self._reader.hanging(_key(found)) is None
            for found in self._inventory.cards
        )

    @property
    def unread(self) -> frozenset[str] | None:
        """Keys of the cards that have never answered; None: which cards there are is not known yet."""
        if self._inventory is _NOT_LISTED:
            return None
        return frozenset(key for found in self._inventory.cards if (key := _key(found)) not in self._last)

    async def one(self, card: Reading) -> Reading:
        """Every fact of this card, read after the call; or it says that its driver does not answer."""
        found = next((found for found in self._inventory.cards if _key(found) == card.key), None)
        if found is None:
            found = Found(card.family, card.index or 0, (), managed=False)
        reader = self._reader_of(found)
        try:
            reading: Reading = await self._reader.ask_one(Job(card.key, reader.files, partial(reader.whole, found)))
        except NoAnswer as silence:
            return card._replace(unanswered=silence.path)
        others = {last.pci_bdf for key, last in self._last.items() if key != card.key}
        return next(self._placed([reading], others))

    def host_hangs(self) -> str | None:
        """The folder that the listing of the host's cards is stuck at."""
        return self._reader.hanging(_HOST)

    async def _ask_all(self, probe: frozenset[str], now: float, *, anew: bool) -> None:
        """The host where that is due, and the cards that it had, where they are not asked for after it."""
        self.awaited = frozenset()
        jobs = [] if anew else self._jobs(self._inventory, probe, now, anew=False)
        if anew:
            self._list.hurry(now)
        if self._has_problems or self._list.is_due(now):
            jobs = [*jobs, Job(_HOST, self._lister.files, partial(self._listing, now, anew=anew))]
        await self._ask(jobs)

    def _jobs(self, inventory: Inventory, probe: frozenset[str], now: float, *, anew: bool) -> list[Job]:
        fresh = anew or self._fresh.is_due(now)
        if fresh:
            self._fresh.done(now)
        quiet = not fresh and not probe and not self._has_problems
        if quiet and inventory is self._quiet_of:
            jobs = self._quiet
        else:
            jobs = [self._job(found, probe, whole=anew, fresh=fresh) for found in inventory.cards]
            if quiet:
                self._quiet_of, self._quiet = inventory, jobs
        if jobs and not anew and self._whole.is_due(now):
            self._whole.done(now)
            self._turn += 1
            jobs = [*jobs]
            place = self._turn % len(jobs)
            jobs[place] = self._job(inventory.cards[place], probe, whole=True, fresh=fresh)
        return jobs

    def _job(self, found: Found, probe: frozenset[str], *, whole: bool, fresh: bool) -> Job:
        """What of a card is broken may be well again in any file of it."""
        reader = self._reader_of(found)
        last = self._last.get(_key(found))
        whole = whole or (last is not None and bool(last.problems))
        read = partial(reader.whole if whole else reader.signs, found, fresh=fresh)
        key = _key(found)
        return Job(key, reader.files, partial(_probed, reader.files, self._roots, read) if key in probe else read)

    def _reader_of(self, found: Found) -> CardReader:
        key = _key(found)
        if key not in self._readers:
            self._readers[key] = CardReader(self._roots, found.family, found.index)
        return self._readers[key]

    def _listing(self, asked_at: float, *, anew: bool) -> _Listing:
        return _Listing(self._lister.look(anew=anew), asked_at)

    async def _ask(self, jobs: Sequence[Job]) -> None:
        answers = await self._reader.ask(jobs)
        self.awaited = (self.awaited | {job.key for job in jobs}) - answers.keys()
        self._take(answers)

    def _take(self, answers: dict[str, _Listing | Reading]) -> None:
        for key, answer in answers.items():
            if isinstance(answer, Reading):
                if key in self._last and went_back(self._last[key].heartbeat_seconds, answer):
                    self._reset.add(key)
                self._last[key] = answer
                self._silent.pop(key, None)
            else:
                self._list.done(answer.asked_at)
                self._inventory = answer.inventory
                there = {_key(found) for found in answer.inventory.cards}
                self._last = {key: reading for key, reading in self._last.items() if key in there}

    def _placed(self, told: Sequence[Reading], others: Collection[str | None] = ()) -> Iterator[Reading]:
        """Where PCI has the address still, it is no other card that told it, and no other card tells it now: else one
        bad card would make another one doubtful.
        """
        taken = {*others, *(reading.pci_bdf for reading in told)}
        on_the_bus = {npu.bdf for npu in self._inventory.npus}
        for reading in told:
            before = self._addresses.get(reading.key)
            if reading.pci_bdf is not None:
                self._addresses[reading.key] = _Address(reading.pci_bdf, reading.uuid)
            elif before is not None and before.bdf in on_the_bus - taken and reading.uuid in (None, before.uuid):
                yield reading._replace(pci_bdf=before.bdf)
                continue
            yield reading

    def _told(self) -> Iterator[Reading]:
        for found in self._inventory.cards:
            key = _key(found)
            hanging = self._reader.hanging(key)
            if hanging is not None:
                self._silent[key] = hanging
            path = self._silent.get(key)
            last = self._last.get(key)
            if path is not None:
                last = last or Reading(found.family, found.index, management=False, device_files=found.device_files)
                yield last._replace(unanswered=path)
            elif last is not None:
                yield last


def _key(found: Found) -> str:
    """As `Reading.key`."""
    return f"{found.family} npu{found.index}"


def _probed(files: Files, roots: Roots, read: Callable[[], Reading]) -> Reading:
    reading = read()
    return reading._replace(busy=busy_files(files, roots, reading))
