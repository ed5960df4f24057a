"""The last look before a card is handed over or a container starts with it: read anew, and judged as it is now."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.census import Rules, Seen, look_again, offered_family
from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.allocation.places import Places
from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.allocation.slicing import Slicing
from furiosa_npu.health.cycle_counters import STILL_SECONDS_WHERE_CLOSED
from furiosa_npu.watch.card_readings import CardReadings
from furiosa_npu.watch.outside_users import OutsideUsers

SECOND_READING_SECONDS = STILL_SECONDS_WHERE_CLOSED
"""Between two readings of a Warboy's `perf_regs`, where the first does not decide. What is still undecided then is
refused."""


class Standing(NamedTuple):
    """What is known at this moment."""

    pool: Pool
    ledger: Ledger
    rules: Rules
    seen: Seen
    places: Places
    users_are_known: bool


class LastLook:
    """One pool's. `standing` is asked after each wait: cycles and hand-overs go on meanwhile."""

    def __init__(
        self,
        readings: CardReadings,
        users: OutsideUsers,
        standing: Callable[[], Standing],
        slicing: Slicing,
        clock: Callable[[], float],
    ) -> None:
        self._readings = readings
        self._users = users
        self._standing = standing
        self._slicing = slicing
        self._clock = clock

    async def look(self, unit_ids: Sequence[str]) -> Pool:
        """The pool with these units as they are now: read anew, and judged as if no pod held them."""
        now = self._standing()
        looked = dict(now.pool)
        asked = tuple(dict.fromkeys(unit_ids))
        in_use = any(looked[unit_id].card.key in now.seen.users for unit_id in asked if unit_id in looked)
        if in_use or not now.users_are_known:
            await self._users.look(anew=True)  # who had it open a while ago may have let go; or who came, since then
        await self._look_at(looked, asked)
        undecided = [
            unit_id
            for unit_id in asked
            if unit_id in looked and (waits(looked[unit_id]) or _may_be_over(looked[unit_id]))
        ]
        if undecided:
            await asyncio.sleep(SECOND_READING_SECONDS)
            await self._look_at(looked, undecided)
        return looked

    async def _look_at(self, looked: dict[str, Unit], unit_ids: Sequence[str]) -> None:
        """Puts the units as they are now into `looked`; a driver that hangs is waited for once, not once a card."""
        units = [looked[unit_id] for unit_id in unit_ids if unit_id in looked]
        units = [unit for unit in units if unit.card.index is not None]
        before = self._standing()
        family = offered_family(before.pool, before.rules)
        if len(units) == 1:
            readings = [await self._readings.one(units[0].card)]  # three turns of the loop sooner
        else:
            readings = await asyncio.gather(*(self._readings.one(unit.card) for unit in units))
        now = self._standing()
        lost = tuple(unit_id for unit_id in now.ledger.units if not _is_there(now.pool, unit_id))
        for unit, reading in zip(units, readings, strict=True):
            looked[unit.id] = look_again(
                _trusted_as_now(unit, now.pool),
                reading,
                Seen(now.seen.readings, self._users.of_cards((reading,))),
                now.rules,
                family,
                self._clock(),
                self._slicing,
                now.places,
                lost,
            )


def waits(unit: Unit) -> bool:
    """A Warboy's `perf_regs` could be read: whether its counter moves shows at the next reading."""
    return unit.verdict.sign == "second-reading"


def _may_be_over(unit: Unit) -> bool:
    """A Warboy's counter moved since the last look, perhaps for the pod that just let it go: `perf_regs` could be read,
    and is closed by its mode, as it is while nobody uses the PE."""
    closed = any(not regs.mode_allows_reading for regs in unit.card.perf_regs)
    return closed and unit.verdict.sign == "in-use"


def _is_there(pool: Pool, unit_id: str) -> bool:
    return unit_id in pool and pool[unit_id].verdict.state != "gone"


def _trusted_as_now(unit: Unit, pool: Pool) -> Unit:
    """A cycle may have found it bad while the look waited for the driver: then it has to prove itself first."""
    if unit.id not in pool:
        return unit
    standing = pool[unit.id].verdict.history.standing
    history = unit.verdict.history._replace(standing=standing)
    return unit._replace(verdict=unit.verdict._replace(history=history))
