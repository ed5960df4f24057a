"""What an earlier agent of this boot knew of cards, until this one knows for each whether it is there."""

from collections.abc import Iterator, Mapping, Sequence

from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.allocation.slicing import Slicing
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.recall import Recalled
from furiosa_npu.health.verdict import Verdict


class EarlierAgent:
    """Forgets each card once the pool has it: what comes back later is judged by what it does from then on."""

    def __init__(self, recalled: Recalled, slicing: Slicing) -> None:
        self.verdicts: Mapping[str, Verdict] = recalled.verdicts
        """by unit id, of those that the pool does not have yet"""
        self._cards: Pool = {
            unit_id: Unit(unit_id, unit_id, card, recalled.verdicts[unit_id])
            for unit_id, card in recalled.cards.items()
            if slicing.whole(unit_id) == unit_id
        }

    @property
    def cards(self) -> Iterator[Unit]:
        """Of which is not known yet whether they are there."""
        return iter(self._cards.values())

    def decided(self, unread: frozenset[str] | None, told: Sequence[Reading]) -> Pool:
        """Cards that are there or are not, as is known by now; told once.

        `unread`: keys of the cards that have never answered, None where the host's are not listed yet; `told`: of those
        that have, or have been silent for too long.
        """
        if unread is None or not self._cards:
            return {}
        silent = unread - {reading.key for reading in told}
        known = {unit_id: unit for unit_id, unit in self._cards.items() if unit.card.key not in silent}
        self._cards = {unit_id: unit for unit_id, unit in self._cards.items() if unit_id not in known}
        return known

    def forget(self, pool: Pool) -> None:
        self.verdicts = {unit_id: verdict for unit_id, verdict in self.verdicts.items() if unit_id not in pool}
