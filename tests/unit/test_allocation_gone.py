"""What is said of a card that is gone, from what is there."""

import pytest

from furiosa_npu.allocation.gone import why_gone
from furiosa_npu.hardware.reading import Reading
from tests.unit.readings import warboy

SHOWN = "the driver shows neither device files nor a management folder"


@pytest.mark.parametrize(
    ("card", "present", "reason"),
    [
        (warboy(), {"WARBOY-1": warboy(1)}, f"{SHOWN}, and PCI has no such device"),
        (warboy(), {"NEW": warboy(uuid="NEW")}, "another card (NEW) is in its place"),
        (warboy()._replace(pci_bdf=None), {"NEW": warboy(uuid="NEW")}, "another card (NEW) is in its place"),
        (warboy()._replace(pci_bdf=None), {"WARBOY-1": warboy(1)}, SHOWN),
    ],
)
def test_a_card_is_said_to_be_gone_by_what_is_there(card: Reading, present: dict[str, Reading], reason: str) -> None:
    """Of PCI nothing is said of a card whose address nobody knows."""
    assert why_gone(card, present) == reason
