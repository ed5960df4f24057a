"""Where the units are that pods hold: what their containers may open stays theirs, whatever comes there. Pure.

A card may be replaced in its slot, or get another number when its driver is loaded again, while a pod has the device
files that it was given: by their numbers it then reaches another card.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from furiosa_npu.allocation.ledger import Given, GivenOf, nothing_given
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.hardware.reading import Reading

FileKey = tuple[int, int] | str
"""(major, minor); of a plain file that stands for a device, and where the number is not known, its path below /dev"""

_ADDRESS = re.compile(r"(?:npu-)?([0-9a-f]{4})[:-]([0-9a-f]{2})[:-]([0-9a-f]{2})[.-]([0-9a-f])(?:-pe.*)?", re.ASCII)
"""PCI address as a card's id, or in its unit's name"""


class Place(NamedTuple):
    """Of a held unit, as it was when it was handed out or first seen held."""

    card_id: str
    pci_bdf: str | None
    files: frozenset[FileKey]
    beside: frozenset[str] = frozenset()
    """ids of the cards that `files` may be of as well, since they were given together"""


Places = Mapping[str, Place]
"""By unit id."""


def place_of(card_id: str, reading: Reading) -> Place:
    return Place(card_id, reading.pci_bdf, frozenset(file.device_number or file.path for file in reading.device_files))


def follow(places: Places, held: Iterable[str], pool: Pool, given: GivenOf = nothing_given) -> Places:
    """The places of the units that are held now: those that are known stay as they are.

    `given`: what is known of units that were handed out before this agent's start; it counts where a unit is not, or
    no more, where it was then.
    """
    followed: dict[str, Place] = {}
    for unit_id in held:
        unit, address = pool.get(unit_id), _ADDRESS.fullmatch(unit_id)
        if unit_id in places:
            followed[unit_id] = places[unit_id]
            continue
        its_own = given(unit_id)
        if unit is not None and unit.verdict.state != "gone" and _has(unit.card, its_own):
            followed[unit_id] = place_of(unit.card_id, unit.card)
        elif its_own is not None:
            card_id = unit_id if unit is None else unit.card_id
            followed[unit_id] = Place(card_id, None, its_own.files, its_own.cards)
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
        if card_id == place.card_id or card_id in place.beside:
            continue
        if place.pci_bdf == reading.pci_bdf is not None or place.files & files:
            return (
                f"{reading.name} is where {place.card_id} was when a pod got it, and that pod has its device files yet"
            )
    return None


def _has(card: Reading, given: Given | None) -> bool:
    """Nothing that is known says that its pod has other device files than it has now."""
    return given is None or not given.files or not given.files.isdisjoint(file.path for file in card.device_files)


def _files(reading: Reading) -> frozenset[FileKey]:
    """By all that a place may know them by."""
    numbers = (file.device_number for file in reading.device_files if file.device_number is not None)
    return frozenset((*numbers, *(file.path for file in reading.device_files)))
