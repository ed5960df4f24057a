"""From the pool of units to the devices that are published: names, counters, and what is tainted and why. Pure.

Every unit is published while there is something of its card, with a taint named after its state where it cannot be
handed out, `npu.furiosa.ai/failed=not-alive`: one that is left out looks as if there were none, and what a claim has of
it would no longer count against the PEs that it shares with others. So nothing that is held is left out, whatever
became of it. Left out are cards without a name that lasts, those that no driver has taken, and those that are gone.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from furiosa_npu.allocation.partition import PARTITIONED, card_unit_id, parse_unit_id, partition_of
from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.cluster.api import rfc3339
from furiosa_npu.cluster.node import is_dns_label, is_label_value
from furiosa_npu.cluster.resource_slices import Counters, Device, Effect, Taint
from furiosa_npu.dra_driver.attributes import attributes, capacity
from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.health.verdict import State

DRIVER = "npu.furiosa.ai"

OTHER_PLANE = "device-plugin"
"""value of the taint `occupied` of a card that a pod holds which the device plugin served"""

_UNTAINTED: tuple[State, ...] = ("idle", "allocated")

_LOST: tuple[State, ...] = ("failed", "gone")
"""a pod that has the card can do nothing more with it"""


class CardDevices(NamedTuple):
    """A card and its partitions as devices, which stand in one slice."""

    name: str
    """of the card's device, and of its counter set"""
    devices: tuple[Device, ...]
    """the whole card first, then by size"""
    counters: Counters
    """one of each PE"""
    counted: frozenset[str]
    """names of devices that two claims could get at once where PEs are not counted: partitions, and a card of which a
    partition is held"""


class LeftOut(NamedTuple):
    unit: str
    reason: str


class Offering(NamedTuple):
    """What is published of a node's cards."""

    cards: tuple[CardDevices, ...]
    """by name"""
    left_out: tuple[LeftOut, ...]


class Tainting(NamedTuple):
    """How taints are made."""

    epoch: float
    """seconds since 1970 at 0 of the clock of the verdicts"""
    lost_effect: Effect = "NoSchedule"
    """of a card that has failed or is gone; NoExecute moves its pods away"""


def offering(pool: Pool, held: Collection[str], other_plane: Collection[str], tainting: Tainting) -> Offering:
    """`held`: ids of all units that pods hold; `other_plane`: of those that the device plugin handed out."""
    is_held, is_elsewhere = PARTITIONED.holds(held), PARTITIONED.holds(other_plane)
    in_parts = {card for card, pes in map(parse_unit_id, held) if pes is not None}
    published: dict[str, list[Unit]] = {}
    left_out = []
    for unit in pool.values():
        reason = _unfit(unit, held=is_held(unit.id))
        if reason is None:
            published.setdefault(parse_unit_id(unit.id)[0], []).append(unit)
        else:
            left_out.append(LeftOut(unit.id, reason))
    cards = []
    for name, units in sorted(published.items()):
        units.sort(key=_size)
        devices = tuple(_device(name, unit, tainting, elsewhere=is_elsewhere(unit.id)) for unit in units)
        counted = frozenset(unit.id for unit in units if unit.card.pes is not None or name in in_parts)
        cards.append(CardDevices(name, devices, _counters(range(TRAITS[units[0].card.family].pe_count)), counted))
    return Offering(tuple(cards), tuple(left_out))


def _unfit(unit: Unit, *, held: bool) -> str | None:
    """Why the unit is no device, or None."""
    if not held and (unit.card.index is None or unit.verdict.state == "gone"):
        return unit.verdict.reason
    if unit.card_id == unit.card.name:
        return "the card shows neither UUID nor PCI address: it has no name that lasts"
    card = card_unit_id(unit.card_id)
    if not is_dns_label(card) or not is_dns_label(unit.id) or parse_unit_id(card) != (card, None):
        return f"found the name {unit.id!r}, expected a DNS label of at most 63 characters (the driver's device_uuid)"
    return None


def _size(unit: Unit) -> tuple[int, tuple[int, ...]]:
    return (0, ()) if unit.card.pes is None else (len(unit.card.pes), unit.card.pes)


def _device(counter_set: str, unit: Unit, tainting: Tainting, *, elsewhere: bool) -> Device:
    return Device(
        name=unit.id,
        attributes=attributes(unit.card),
        capacity=capacity(unit.card),
        consumes={counter_set: _counters(partition_of(unit.card).pes)},
        taints=_taints(unit, tainting, elsewhere=elsewhere),
    )


def _counters(pes: Iterable[int]) -> Counters:
    return {f"pe{pe}": 1 for pe in pes}


def _taints(unit: Unit, tainting: Tainting, *, elsewhere: bool) -> tuple[Taint, ...]:
    state, sign, _, since, *_ = unit.verdict
    if state not in _UNTAINTED:
        effect = tainting.lost_effect if state in _LOST else "NoSchedule"
        value = sign if is_label_value(sign) else ""
        return (Taint(f"{DRIVER}/{state}", value, effect, rfc3339(tainting.epoch + since)),)
    return (Taint(f"{DRIVER}/occupied", OTHER_PLANE, "NoSchedule"),) if elsewhere else ()
