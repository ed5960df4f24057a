"""PCI devices beside the cards: each stands for itself where no card is it, or may be it."""

from furiosa_npu.hardware.bus_pci import PciNpu
from furiosa_npu.hardware.cards import with_driverless
from furiosa_npu.hardware.inventory import Found, Inventory
from furiosa_npu.hardware.reading import Family, Reading
from tests.unit.readings import renegade, warboy

SYSFS = "/sys"


def found(card: Reading, *, managed: bool = True) -> Found:
    assert card.index is not None
    return Found(card.family, card.index, card.device_files, managed)


def on_the_bus(card: Reading) -> PciNpu:
    assert card.pci_bdf is not None
    return PciNpu(card.pci_bdf, card.family, "0x0000" if card.family == "warboy" else "0x0001")


def device(bdf: str, family: Family | None) -> PciNpu:
    return PciNpu(bdf, family, "0x0007" if family is None else "0x0000")


CARDS = (warboy(0), warboy(1), renegade(0))
INVENTORY = Inventory(tuple(map(found, CARDS)), tuple(map(on_the_bus, CARDS)), ())


def told(inventory: Inventory, *readings: Reading) -> list[str]:
    """The names of the cards and devices that are told."""
    return [reading.name for reading in with_driverless(SYSFS, inventory, readings)]


def test_a_card_that_is_found_and_unread_is_not_told_as_a_device() -> None:
    """Whichever of them, and if all are."""
    assert told(INVENTORY, *CARDS) == ["npu0", "npu1", "npu0"]
    assert told(INVENTORY, CARDS[1], CARDS[2]) == ["npu1", "npu0"]
    assert told(INVENTORY, CARDS[0], CARDS[1]) == ["npu0", "npu1"]
    assert told(INVENTORY) == []


def test_a_card_that_did_not_answer_yet_is_no_device_either() -> None:
    """It is told with its name and without its address."""
    silent = Reading("warboy", 1, True, CARDS[1].device_files, unanswered="/sys/x")
    assert told(INVENTORY, CARDS[0], silent, CARDS[2]) == ["npu0", "npu1", "npu0"]


def test_a_device_more_than_there_are_cards_unread_is_told() -> None:
    """Which of them is the card nobody can say: both stand for themselves until it is read."""
    more = INVENTORY._replace(npus=(*INVENTORY.npus, device("0000:99:00.0", "warboy")))
    assert told(more, CARDS[0], CARDS[2]) == ["npu0", "npu0", "0000:02:00.0", "0000:99:00.0"]
    assert told(more, *CARDS) == ["npu0", "npu1", "npu0", "0000:99:00.0"]


def test_an_unread_card_stands_for_a_device_of_its_own_family_alone() -> None:
    """A Renegade without a driver is told though a Warboy was not read; so is one of an unknown family."""
    other = INVENTORY._replace(cards=INVENTORY.cards[:2])
    assert told(other, CARDS[0]) == ["npu0", "0000:81:00.0"]
    unknown = INVENTORY._replace(npus=(*INVENTORY.npus, device("0000:99:00.0", None)))
    assert told(unknown, CARDS[0]) == ["npu0", "0000:99:00.0"]


def test_device_files_alone_stand_for_a_device_where_there_is_one() -> None:
    """A card without a management folder, read or not, says so itself; its device on the bus is no card more."""
    half = INVENTORY._replace(cards=(found(CARDS[0]), found(CARDS[1], managed=False), found(CARDS[2])))
    gone = "0000:02:00.0"
    assert [one.name for one in with_driverless(SYSFS, half, (CARDS[0], CARDS[2]), {gone})] == ["npu0", "npu0", gone]
    half_read = Reading("warboy", 1, False, CARDS[1].device_files)
    assert told(half, CARDS[0], CARDS[2]) == ["npu0", "npu0"]
    assert told(half, CARDS[0], half_read, CARDS[2]) == ["npu0", "npu1", "npu0"]
    left = half._replace(npus=(INVENTORY.npus[0], INVENTORY.npus[2]))
    assert told(left, CARDS[0], CARDS[2]) == ["npu0", "npu0"]
