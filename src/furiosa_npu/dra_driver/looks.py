"""The last look at a claim's devices before they are prepared."""

from collections.abc import Awaitable, Callable, Sequence

from furiosa_npu.allocation.partition import PARTITIONED, partition_of
from furiosa_npu.allocation.pool import Unit
from furiosa_npu.dra_driver.preparation import Looked
from furiosa_npu.health.verdict import in_words
from furiosa_npu.watch.npu_pool import NpuPool


class Looks:
    """A `Look` (preparer) over the pool."""

    def __init__(
        self,
        pool: NpuPool,
        until_seen: Callable[[], Awaitable[None]],
        other_plane: Callable[[], frozenset[str]],
    ) -> None:
        """`other_plane`: ids of the units that pods hold which the device plugin served."""
        self._until_seen = until_seen
        self._pool = pool
        self._other_plane = other_plane

    async def look(self, devices: Sequence[str]) -> dict[str, Looked]:
        """By the device's name, those that this node has."""
        await self._until_seen()
        pool = await self._pool.look(devices)
        is_elsewhere = PARTITIONED.holds(self._other_plane())
        return {device: _looked(pool[device], elsewhere=is_elsewhere(device)) for device in devices if device in pool}


def _looked(unit: Unit, *, elsewhere: bool) -> Looked:
    verdict, card = unit.verdict, unit.card
    there = card.index is not None and verdict.state != "gone"
    refusal = None
    if elsewhere:
        refusal = f"{card.name} is held by a pod that the device plugin served"
    elif verdict.state not in ("idle", "allocated"):
        refusal = f"{card.name} {in_words(verdict.state)}: {verdict.reason}"
    return Looked(unit.card_id, partition_of(card).pes, card if there else None, refusal)
