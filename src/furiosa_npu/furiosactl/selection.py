"""Which cards are shown: those with device files here, and of them those that were named."""

from collections.abc import Sequence

from furiosa_npu.furiosactl.command_line import UsageError
from furiosa_npu.hardware.reading import FAMILIES, Reading


def shown(readings: Sequence[Reading]) -> tuple[Reading, ...]:
    """Cards with device files, by number. In a pod sysfs shows the whole host's cards, /dev those that it was given."""
    here = [card for card in readings if card.device_files]
    return tuple(sorted(here, key=lambda card: (card.index or 0, FAMILIES.index(card.family))))


def select(cards: Sequence[Reading], names: Sequence[str]) -> tuple[Reading, ...]:
    """The cards that `names` mean (name, UUID or PCI address), all without any. Raises UsageError."""
    if not names:
        return tuple(cards)
    wanted = [_find(cards, name) for name in names]
    return tuple(card for card in cards if card in wanted)


def _find(cards: Sequence[Reading], name: str) -> Reading:
    lower = name.lower()
    exact = [card for card in cards if name and lower in ((card.uuid or "").lower(), card.pci_bdf)]
    found = exact or [card for card in cards if card.name == name]
    if not found:
        there = ", ".join(f"{card.name} ({card.uuid or card.pci_bdf or card.family})" for card in cards) or "none"
        raise UsageError(f"no NPU {name or 'without a name'} here, expected one of: {there}")
    if len(found) > 1:
        several = ", ".join(f"{_own_identity(card, found)} ({card.family})" for card in found)
        raise UsageError(f"{name} names {len(found)} NPUs, expected a UUID or PCI address: {several}")
    return found[0]


def _own_identity(card: Reading, among: Sequence[Reading]) -> str:
    """What tells the card from the others: its UUID, else its PCI address."""
    alone = card.uuid is not None and sum(other.uuid == card.uuid for other in among) == 1
    return card.uuid if alone and card.uuid else card.pci_bdf or "neither UUID nor PCI address"
