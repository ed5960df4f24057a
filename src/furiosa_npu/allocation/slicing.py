"""How cards become units: what of a card can be handed out on its own, and which units share PEs. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.pe_form import PeForm, required_files
from furiosa_npu.hardware.reading import Family, Reading


class Part(NamedTuple):
    """What becomes a unit."""

    id: str
    reading: Reading
    """what the card's reading tells of it"""


class Slicing(NamedTuple):
    """One plane's way of cutting cards up."""

    parts: Callable[[str, Reading], Sequence[Part]]
    """The parts of a card, by the card's id."""
    holds: Callable[[Iterable[str]], Callable[[str], bool]]
    """From the ids of units in use: whether a unit of this id is in use, be it in part."""
    whole: Callable[[str], str]
    """The id of the unit that is all of the card, by the card's id."""
    required: Callable[[Family, int, PeForm], tuple[str, ...]]
    """Names of the device files without which nothing of a card is handed out, by its family and number."""


def _whole(card_id: str, card: Reading) -> tuple[Part]:
    return (Part(card_id, card),)


def _same(held: Iterable[str]) -> Callable[[str], bool]:
    return frozenset(held).__contains__


WHOLE_CARDS = Slicing(_whole, _same, str, required_files)
"""A card is a unit, under the card's own id."""
