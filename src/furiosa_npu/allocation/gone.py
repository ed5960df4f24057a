"""Why a card that was there is not: in words, from what is there now. Pure."""

from collections.abc import Mapping

from furiosa_npu.allocation.identity import is_same_place
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.judge import NOTHING_SHOWN


def why_gone(card: Reading, present: Mapping[str, Reading]) -> str:
    """`card`: as it was last known; `present`: the cards that are there, by id.

    Of PCI something is said only where the card's address is known: a card that stood there would be in its place.
    """
    other = next((card_id for card_id, reading in present.items() if is_same_place(card, reading)), None)
    if other is not None:
        return f"another card ({other}) is in its place"
    if card.pci_bdf is None:
        return NOTHING_SHOWN
    return f"{NOTHING_SHOWN}, and PCI has no such device"
