"""Which cards furiosactl shows, and how a person names one."""

import pytest

from furiosa_npu.furiosactl.command_line import UsageError
from furiosa_npu.furiosactl.selection import select, shown
from furiosa_npu.hardware.reading import Reading
from tests.unit.readings import renegade, warboy


def test_only_cards_with_device_files_are_shown_by_number() -> None:
    """In a pod sysfs shows the whole host's."""
    hidden = warboy(1)._replace(device_files=())
    assert shown([warboy(10), hidden, warboy(2), renegade(2)]) == (warboy(2), renegade(2), warboy(10))


@pytest.mark.parametrize("name", ["npu0", "WARBOY-0", "warboy-0", "0000:01:00.0"])
def test_a_card_is_named_by_name_uuid_or_address(name: str) -> None:
    """A UUID in any case."""
    assert select([warboy(0), warboy(1)], [name]) == (warboy(0),)


def test_an_address_is_taken_in_any_case() -> None:
    """As the kernel writes it, or as a person does."""
    card = warboy(0)._replace(pci_bdf="0000:6d:00.0")
    assert select([card], ["0000:6D:00.0"]) == (card,)


def test_several_names_give_their_cards_once_in_the_order_of_number() -> None:
    """A card named twice is shown once."""
    cards = (warboy(0), warboy(1), warboy(2))
    assert select(cards, ["npu2", "npu0", "WARBOY-2"]) == (warboy(0), warboy(2))


TWINS = [warboy(0), warboy(1)._replace(uuid="WARBOY-0", pci_bdf="0000:02:00.0")]


@pytest.mark.parametrize(
    ("cards", "name", "message"),
    [
        ([warboy(0)], "npu7", "no NPU npu7 here, expected one of: npu0 (WARBOY-0)"),
        ([], "npu7", "no NPU npu7 here, expected one of: none"),
        ([warboy(0)._replace(uuid=None)], "", "no NPU without a name here, expected one of: npu0 (0000:01:00.0)"),
        (
            [warboy(0), renegade(0)],
            "npu0",
            "npu0 names 2 NPUs, expected a UUID or PCI address: WARBOY-0 (warboy), RENEGADE-0 (renegade)",
        ),
        (
            TWINS,
            "warboy-0",
            "warboy-0 names 2 NPUs, expected a UUID or PCI address: 0000:01:00.0 (warboy), 0000:02:00.0 (warboy)",
        ),
    ],
)
def test_a_name_that_means_none_or_two_is_refused(cards: list[Reading], name: str, message: str) -> None:
    """With what there is, or with what tells the two apart."""
    with pytest.raises(UsageError) as raised:
        select(cards, [name])
    assert str(raised.value) == message
