"""Where the units are that pods hold: what their containers may open stays theirs, whatever comes there. Pure.

A card may be replaced in its slot, or get another number when its driver is loaded again, while a pod has the device
files that it was given: by their numbers it then reaches another card.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from furiosa_npu.allocation.pool import Pool
from furiosa_npu.hardware.reading import Reading

FileKey = tuple[int, int] | str
"""(major, minor); of a plain file that stands for a device its path"""

_ADDRESS = re.compile(r"(?:npu-)?([0-9a-f]{4})[:-]([0-9a-f]{2})[:-]([0-9a-f]{2})[.-]([0-9a-f])(?:-pe.*)?", re.ASCII)
"""PCI address as a card's id, or in its unit's name"""


class Place(NamedTuple):
    """Of a held unit, as it was when it was handed out or first seen held."""

    card_id: str
    pci_bdf: str | None
    files: frozenset[FileKey]


Places = Mapping[str, Place]
"""By unit id."""


def place_of(card_id: str, reading: Reading) -> Place:
    return Place(card_id, reading.pci_bdf, _files(reading))


def follow(places: Places, held: Iterable[str], pool: Pool) -> Places:
    """The places of the units that are held now: those that are known stay as they are."""
    followed: dict[str, Place] = {}
    for unit_id in held:
        unit, address = pool.get(unit_id), _ADDRESS.fullmatch(unit_id)
        if unit_id in places:
            followed[unit_id] = places[unit_id]
        elif unit is not None and unit.verdict.state != "gone":
            followed[unit_id] = place_of(unit.card_id, unit.card)
        elif address is not None:
            followed[unit_id] = Place(unit_id, "{}:{}:{}.{}".format(*address.groups()), frozenset())
    return followed


def displaced(unit_id: str, card_id: str, reading: Reading, places: Places) -> str | None:
    """Why the unit is not to be handed out though nothing is wrong with its card, or None: a pod has its place, or its
    own pod has another one.
    """
    files = _files(reading)
    own = places.get(unit_id)
    if own is not None and own.files and files and own.files.isdisjoint(files):
        return f"the device files of {reading.name} are others than those that its pod was given"
    for place in places.values():
        if place.card_id != card_id and (place.pci_bdf == reading.pci_bdf is not None or place.files & files):
            return (
                f"{reading.name} is where {place.card_id} was when a pod got it, and that pod has its device files yet"
            )
    return None


def _files(reading: Reading) -> frozenset[FileKey]:
    return frozenset(file.device_number or file.path for file in reading.device_files)
