"""All cards read in each cycle, one card at the last look; a driver that hangs keeps neither waiting."""

from collections.abc import Iterator, Sequence

from furiosa_npu.device_plugin.patient_reader import NoAnswer, PatientReader
from furiosa_npu.hardware.card_reader import CardReader
from furiosa_npu.hardware.cards import with_driverless
from furiosa_npu.hardware.inventory import Found, Inventory, Lister
from furiosa_npu.hardware.open_probe import is_busy
from furiosa_npu.hardware.reader_threads import Job
from furiosa_npu.hardware.reading import Reading, Roots

_HOST = "host"


class CardReadings:
    """Readings of this host's cards."""

    def __init__(self, roots: Roots, reader: PatientReader) -> None:
        self._roots = roots
        self._reader = reader
        self._lister = Lister(roots)
        self._inventory = Inventory((), (), ())
        self._readers: dict[str, CardReader] = {}
        self._last: dict[str, Reading] = {}
        self._turn = 0

    async def all(self, *, anew: bool, probe: frozenset[str] = frozenset()) -> Sequence[Reading]:
        """Every card of the host. `anew`: all facts of all; else all of one card in turn, of the others what moves.

        `probe`: keys of the cards whose device files may be opened to see whether they are in use: nobody holds them.
        They are opened as part of the reading, so that a last look (`one`) comes before or after, never meanwhile.
        A card whose driver has not answered for the time of patience says so in `unanswered`; one that was asked a
        moment ago is as it was.
        """
        before = self._inventory
        looking = Job(_HOST, self._lister.files, lambda: self._lister.look(anew=anew))
        self._take(await self._reader.ask([looking] if anew else [looking, *self._jobs(before, probe, anew=False)]))
        if anew or self._inventory is not before:
            self._take(await self._reader.ask([*self._jobs(self._inventory, probe, anew=anew)]))
        return with_driverless(self._roots.sysfs, self._inventory, [*self._told()])

    async def one(self, card: Reading) -> Reading:
        """Every fact of this card, read after the call; or it says that its driver does not answer."""
        found = next((found for found in self._inventory.cards if _key(found) == card.key), None)
        if found is None:
            found = Found(card.family, card.index or 0, (), managed=False)
        reader = self._reader_of(found)
        try:
            reading: Reading = await self._reader.ask_one(Job(card.key, reader.files, lambda: reader.whole(found)))
        except NoAnswer as silence:
            return card._replace(unanswered=silence.path)
        return reading

    def host_hangs(self) -> str | None:
        """The folder that the listing of the host's cards is stuck at."""
        return self._reader.hanging(_HOST)

    def _jobs(self, inventory: Inventory, probe: frozenset[str], *, anew: bool) -> Iterator[Job]:
        self._turn += 1
        for position, found in enumerate(inventory.cards):
            whole = anew or position == self._turn % len(inventory.cards)
            probed = self._roots if _key(found) in probe else None
            yield _job(self._reader_of(found), found, probed, whole=whole)

    def _reader_of(self, found: Found) -> CardReader:
        key = _key(found)
        if key not in self._readers:
            self._readers[key] = CardReader(self._roots, found.family, found.index)
        return self._readers[key]

    def _take(self, answers: dict[str, Inventory | Reading]) -> None:
        for key, answer in answers.items():
            if isinstance(answer, Reading):
                self._last[key] = answer
            else:
                self._inventory = answer
                there = {_key(found) for found in answer.cards}
                self._last = {key: reading for key, reading in self._last.items() if key in there}

    def _told(self) -> Iterator[Reading]:
        for found in self._inventory.cards:
            key = _key(found)
            path = self._reader.hanging(key)
            last = self._last.get(key)
            if path is not None:
                last = last or Reading(found.family, found.index, found.managed, found.device_files)
                yield last._replace(unanswered=path)
            elif last is not None:
                yield last


def _key(found: Found) -> str:
    """As `Reading.key`."""
    return f"{found.family} npu{found.index}"


def _job(reader: CardReader, found: Found, probed: Roots | None, *, whole: bool) -> Job:
    def read() -> Reading:
        reading = reader.whole(found) if whole else reader.signs(found)
        return reading if probed is None else reading._replace(busy=is_busy(probed, reading))

    return Job(_key(found), reader.files, read)
