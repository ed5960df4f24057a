"""The one pool of cards behind all resource names: read, judged, handed out, settled. One instance a process."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.census import Rules, census, look_again, offered_family
from furiosa_npu.allocation.ledger import Ledger, Observation, hand_out, settle
from furiosa_npu.allocation.pool import Offer, Pool, Unit, offers, preferred, refusal
from furiosa_npu.hardware.reading import Family, Reading
from furiosa_npu.health.cycle_counters import STILL_SECONDS_WHERE_CLOSED

SECOND_READING_SECONDS = STILL_SECONDS_WHERE_CLOSED
"""Between two readings of a Warboy's `perf_regs` at the last look, where the first does not decide. What is still
undecided then is refused."""

ONE_INSTANT_SECONDS = 0.5
"""For how long after a hand-over the lists under the other names stay as they were. A pod that came in the same instant
under another name is then refused by us, with the reason; the kubelet alone would say `Available: 0`."""


class Refused(Exception):
    """A hand-over that is refused; the message is the reason for the person who reads the pod's events."""


class CardReaders(NamedTuple):
    """How cards are read."""

    all: Callable[[], Sequence[Reading]]
    one: Callable[[Family, int], Reading]


class NpuPool:
    """State that the agent keeps: the last pool and the ledger. Every change calls `on_change`."""

    def __init__(
        self,
        readers: CardReaders,
        rules: Rules,
        resources: Sequence[str],
        clock: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        self.rules = rules
        self.pool: Pool = {}
        self.ledger = Ledger()
        self.scanned_at: float | None = None
        self._readers = readers
        self._resources = frozenset(resources)
        self._clock = clock
        self._on_change = on_change
        self._handing_over = asyncio.Lock()
        self._handed_over_at: dict[str, float] = {}

    def scan(self) -> None:
        """Reads and judges every card."""
        before = self.pool
        readings = self._readers.all()
        now = self._clock()
        self.pool = census(before, readings, self.ledger, self.rules, now)
        self.scanned_at = now
        if _shown(self.pool) != _shown(before):
            self._on_change()

    @property
    def undecided(self) -> bool:
        """A card waits for a second reading."""
        return any(_waits(unit) for unit in self.pool.values())

    def settle(self, seen: Observation) -> None:
        """Takes in what the kubelet shows of who holds what."""
        before = self.ledger
        self.ledger = settle(before, seen, self._resources)
        if {holding for holding, _ in self.ledger.entries} != {holding for holding, _ in before.entries}:
            self.scan()
            self._on_change()

    def offers(self, resource: str) -> tuple[Offer, ...]:
        return offers(self.pool, self.ledger, resource)

    def instant_left(self, resource: str) -> float:
        """How long the list under `resource` has to wait yet, in seconds; see ONE_INSTANT_SECONDS."""
        others = [at for name, at in self._handed_over_at.items() if name != resource]
        return max(0.0, max(others) + ONE_INSTANT_SECONDS - self._clock()) if others else 0.0

    def preferred(
        self, resource: str, available: Sequence[str], must_include: Sequence[str], size: int
    ) -> tuple[str, ...]:
        return preferred(self.pool, self.ledger, resource, available, must_include, size)

    async def hand_over(self, resource: str, unit_ids: tuple[str, ...]) -> tuple[Reading, ...]:
        """The cards' readings of the last look, entered in the ledger. Raises Refused: then nothing was entered.

        One at a time, so that two names cannot get the last card in one instant.
        """
        async with self._handing_over:
            cards = await self._look(resource, unit_ids)
            self._handed_over_at[resource] = now = self._clock()
            self.ledger = hand_out(self.ledger, resource, unit_ids, now)
        self.scan()
        self._on_change()
        return cards

    async def last_look(self, resource: str, unit_ids: tuple[str, ...]) -> None:
        """Raises Refused where a card is not idle and good now, just before a container starts with it."""
        await self._look(resource, unit_ids)

    async def _look(self, resource: str, unit_ids: tuple[str, ...]) -> tuple[Reading, ...]:
        looked = dict(self.pool)
        undecided = [unit_id for unit_id in unit_ids if not self._look_at(looked, unit_id)]
        if undecided:
            await asyncio.sleep(SECOND_READING_SECONDS)
            for unit_id in undecided:
                self._look_at(looked, unit_id)
        reasons = [refusal(looked, self.ledger, resource, unit_id) for unit_id in dict.fromkeys(unit_ids)]
        refused = "; ".join(reason for reason in reasons if reason is not None)
        if refused:
            raise Refused(refused)
        return tuple(looked[unit_id].card for unit_id in dict.fromkeys(unit_ids))

    def _look_at(self, looked: dict[str, Unit], unit_id: str) -> bool:
        """Puts the unit as it is now into `looked`; False where a second reading has to decide."""
        unit = looked.get(unit_id)
        if unit is None or unit.card.index is None:
            return True
        family = offered_family(self.pool, self.rules)
        reading = self._readers.one(unit.card.family, unit.card.index)
        looked[unit_id] = look_again(unit, reading, self.rules, family, self._clock())
        return not _waits(looked[unit_id])


def _waits(unit: Unit) -> bool:
    """A Warboy's `perf_regs` could be read: whether its counter moves shows at the next reading."""
    return unit.verdict.state == "starting" and bool(unit.verdict.counters)


def _shown(pool: Pool) -> list[tuple[str, str, str, int | None]]:
    """What the lists, the log and the metrics say of the pool."""
    return [(unit.id, unit.verdict.state, unit.verdict.reason, unit.card.numa_node) for unit in pool.values()]
