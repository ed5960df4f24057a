"""What is said of a card that is gone, from what is there."""

import pytest

from furiosa_npu.allocation.gone import why_gone
from furiosa_npu.hardware.reading import Problem, Reading
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
    assert why_gone("WARBOY-0", card, present) == reason


def test_a_part_of_a_card_without_a_driver_is_gone_for_what_the_card_tells() -> None:
    """Not since another card is in its place: it is its own."""
    problem = Problem("/sys/bus/pci/devices/0000:01:00.0", "a PCI device without a management folder", "a driver")
    driverless = Reading("warboy", None, management=False, pci_bdf="0000:01:00.0", problems=(problem,))
    assert why_gone("WARBOY-0", warboy()._replace(pes=(0,)), {"WARBOY-0": driverless}) == str(problem)
