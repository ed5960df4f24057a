"""Why a unit that was there is not: in words, from what is there now. Pure."""

from collections.abc import Mapping

from furiosa_npu.allocation.identity import is_same_place
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.judge import NOTHING_SHOWN


def why_gone(card_id: str, card: Reading, present: Mapping[str, Reading]) -> str:
    """`card`: of the card `card_id`, as it was last known; `present`: the cards that are there, by id.

    Of PCI something is said only where the card's address is known: a card that stood there would be in its place. A
    part of a card is gone, too, where no driver has taken the card any more.
    """
    own = present.get(card_id)
    if own is not None:
        return str(own.problems[0]) if own.problems else NOTHING_SHOWN
    other = next((other_id for other_id, reading in present.items() if is_same_place(card, reading)), None)
    if other is not None:
        return f"another card ({other}) is in its place"
    if card.pci_bdf is None:
        return NOTHING_SHOWN
    return f"{NOTHING_SHOWN}, and PCI has no such device"
