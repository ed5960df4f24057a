"""Partitions of a card: all of it, each PE, and the groups of PEs that its driver has device files for. Pure.

Units are named as the API server takes a device's name, a DNS label (RFC 1123): `npu-<uuid in lower case>` is the card,
`npu-<uuid>-pe0` and `npu-<uuid>-pe0-3` are parts of it; without a UUID it is `npu-0000-3b-00-0`, the PCI address.
"""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from furiosa_npu.allocation.pe_form import PeForm, required_files
from furiosa_npu.allocation.slicing import Part, Slicing
from furiosa_npu.hardware.families import TRAITS, Span
from furiosa_npu.hardware.reading import DeviceFile, Family, Reading

PartitionKind = Literal["card", "1pe", "2pe", "4pe"]

_KINDS: dict[int, PartitionKind] = {1: "1pe", 2: "2pe", 4: "4pe"}

_GROUPS: dict[Family, tuple[Span, ...]] = {
    family: tuple(span for span in (*traits.pes, *traits.pe_groups) if span != (0, traits.pe_count - 1))
    for family, traits in TRAITS.items()
}
"""those that are not the whole card"""


class Partition(NamedTuple):
    """A part of a card that can be handed out, or the whole of it."""

    kind: PartitionKind
    pes: tuple[int, ...]
    """in order, without a gap"""

    @property
    def suffix(self) -> str:
        """As its device file is named: `pe0`, `pe0-3`; empty for the whole card."""
        if self.kind == "card":
            return ""
        first, last = self.pes[0], self.pes[-1]
        return f"pe{first}" if first == last else f"pe{first}-{last}"


def partitions(card: Reading) -> tuple[Partition, ...]:
    """The whole card first; nothing else of one that no driver has taken."""
    groups = () if card.index is None else _GROUPS[card.family]
    parts = (tuple(range(first, last + 1)) for first, last in groups)
    return (partition_of(card), *(Partition(_KINDS[len(pes)], pes) for pes in parts))


def part_counts(family: Family) -> dict[PartitionKind, int]:
    """How many parts of each kind a card has."""
    counts: dict[PartitionKind, int] = {}
    for first, last in _GROUPS[family]:
        kind = _KINDS[last - first + 1]
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def partition_of(reading: Reading) -> Partition:
    """What the reading is of: the whole card, or what it was restricted to."""
    if reading.pes is None:
        return Partition("card", tuple(range(TRAITS[reading.family].pe_count)))
    return Partition(_KINDS[len(reading.pes)], reading.pes)


def restricted(card: Reading, pes: tuple[int, ...]) -> Reading:
    """What a card's reading tells of some of its PEs, and the card's faults, which are theirs too.

    Of its files it keeps those that name no PE, but not Warboy's `npu{i}`, which is all PEs, and those whose PEs are
    all among `pes`. Use of a group of PEs (`perf_regs` of pe0-1) is use of each of them.
    """
    own = frozenset(pes)
    files = tuple(file for file in card.device_files if _is_given(file, own))
    names = frozenset(file.name for file in files)
    occupancy = card.pe_occupancy
    return card._replace(
        device_files=files,
        busy=None if card.busy is None else tuple(name for name in card.busy if name in names),
        pe_occupancy=None if occupancy is None else occupancy[pes[0] : pes[-1] + 1],
        perf_regs=tuple(regs for regs in card.perf_regs if not own.isdisjoint(range(regs.first_pe, regs.last_pe + 1))),
        pes=pes,
    )


def card_unit_id(card_id: str) -> str:
    """The id of the unit that is the whole card; whether it is a DNS label depends on the card's id."""
    name = card_id.lower()
    return f"npu-{name.replace(':', '-').replace('.', '-') if ':' in name else name}"


def unit_id(card_id: str, partition: Partition) -> str:
    """The id of the unit that is this part of the card."""
    card = card_unit_id(card_id)
    return f"{card}-{partition.suffix}" if partition.suffix else card


def parse_unit_id(unit: str) -> tuple[str, tuple[int, ...] | None]:
    """The id of the whole card's unit, and the PEs; None: all of the card."""
    card, _, span = unit.rpartition("-pe")
    first, dash, last = span.partition("-")
    numbers = (first, last) if dash else (first, first)
    if not card or not all(number.isascii() and number.isdecimal() and len(number) <= 3 for number in numbers):
        return unit, None
    return card, tuple(range(int(numbers[0]), int(numbers[1]) + 1))


def _is_given(file: DeviceFile, own: frozenset[int]) -> bool:
    if file.kind == "card":
        return False
    return file.first_pe is None or file.last_pe is None or own.issuperset(range(file.first_pe, file.last_pe + 1))


def _parts(card_id: str, card: Reading) -> tuple[Part, ...]:
    return tuple(
        Part(unit_id(card_id, part), card if part.kind == "card" else restricted(card, part.pes))
        for part in partitions(card)
    )


def _holds(held: Iterable[str]) -> Callable[[str], bool]:
    """A bit a PE, a mask a card: with 16 cards there are 240 units to ask about."""
    taken: dict[str, int] = {}
    for unit in held:
        card, pes = parse_unit_id(unit)
        taken[card] = taken.get(card, 0) | _mask(pes)

    def is_held(unit: str) -> bool:
        if not taken:
            return False
        card, pes = parse_unit_id(unit)
        return bool(taken.get(card, 0) & _mask(pes))

    return is_held


def _mask(pes: tuple[int, ...] | None) -> int:
    return -1 if pes is None else sum(1 << pe for pe in pes)


def _required(family: Family, index: int, _: PeForm) -> tuple[str, ...]:
    """All that name PEs: a claim may ask for any form, and a card's faults are its parts' too."""
    forms: tuple[PeForm, ...] = ("fused", "single")
    whole = [name for form in forms for name in required_files(family, index, form)]
    spans = [tuple(range(first, last + 1)) for first, last in _GROUPS[family]]
    parts = [name for pes in spans for name in required_files(family, index, "fused", pes)]
    return tuple(dict.fromkeys((*whole, *parts)))


PARTITIONED = Slicing(_parts, _holds, card_unit_id, _required)
"""Each card and all its partitions; a unit is in use when one that shares PEs with it is."""
