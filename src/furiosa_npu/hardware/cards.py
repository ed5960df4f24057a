"""All cards of a host in one pass: `read_cards`; one card anew: `read_card`. No tree, whatever it holds, raises."""

from collections.abc import Collection, Sequence

from furiosa_npu.hardware.bus_pci import DEVICES, PciNpu
from furiosa_npu.hardware.card_reader import CardReader
from furiosa_npu.hardware.families import FAMILIES, TRAITS
from furiosa_npu.hardware.inventory import Found, Inventory, Lister
from furiosa_npu.hardware.reading import Family, Problem, Reading, Roots


def read_cards(roots: Roots) -> tuple[Reading, ...]:
    """By family in the order of FAMILIES, then by number; then PCI devices that no driver has taken, by address."""
    inventory = Lister(roots).look(anew=True)
    readings = [CardReader(roots, found.family, found.index).whole(found) for found in inventory.cards]
    return with_driverless(roots.sysfs, inventory, readings)


def read_card(roots: Roots, family: Family, index: int) -> Reading:
    """The card anew. Of a card that is gone: no management folder, no device files, and a problem that says so."""
    cards = Lister(roots).look(anew=True).cards
    nothing = Found(family, index, (), managed=False)
    found = next((card for card in cards if (card.family, card.index) == (family, index)), nothing)
    return CardReader(roots, family, index).whole(found)


def with_driverless(
    sysfs: str, inventory: Inventory, readings: Sequence[Reading], let_go: Collection[str] = ()
) -> tuple[Reading, ...]:
    """The readings of the inventory's cards, doubles among them named as such, and those of PCI devices beside them.

    `let_go`: addresses of cards that a driver showed before and shows no more, so that none of those it shows is there.
    """
    told = without_doubles(readings)
    taken = {reading.pci_bdf for reading in told}
    free = [npu for npu in inventory.npus if npu.bdf not in taken]
    unclaimed = [npu for npu in free if npu.bdf not in let_go]
    alone = [npu for npu in free if npu.bdf in let_go or not _may_be_one_of(npu, unclaimed, inventory, told)]
    return (*told, *(_driverless(sysfs, npu, told) for npu in alone))


def _may_be_one_of(npu: PciNpu, free: Sequence[PciNpu], inventory: Inventory, readings: Sequence[Reading]) -> bool:
    """A card whose `busname` cannot be read, was not read yet, or has no folder to stand in, is on the bus too, and is
    not counted twice."""
    named = {(reading.family, reading.index) for reading in readings if reading.pci_bdf is not None}
    nameless = sum(found.family == npu.family and (found.family, found.index) not in named for found in inventory.cards)
    return sum(other.family == npu.family for other in free) <= nameless


def _driverless(sysfs: str, npu: PciNpu, readings: Sequence[Reading]) -> Reading:
    folder = f"{sysfs}/{DEVICES}/{npu.bdf}"
    problems = [Problem(folder, "a PCI device without a management folder", "a driver that has taken it")]
    family = npu.family
    if family is None:
        found = f"device id {npu.device_id or 'unreadable'}"
        known = " or ".join(f"{traits.pci_device} ({traits.title})" for traits in TRAITS.values())
        problems.append(Problem(f"{folder}/device", found, known))
        # A card of an unknown family has to stand somewhere; with its problem it is never handed out.
        family = readings[0].family if readings else FAMILIES[0]
    return Reading(family, None, management=False, pci_bdf=npu.bdf, problems=tuple(problems))


def without_doubles(readings: Sequence[Reading]) -> tuple[Reading, ...]:
    """Two cards of one UUID or PCI address: neither can be vouched for, both say so."""
    told = list(readings)
    for fact, expected in (("uuid", "a UUID of its own"), ("pci_bdf", "a PCI address of its own")):
        values = [value for reading in readings if (value := getattr(reading, fact)) is not None]
        if len(set(values)) == len(values):
            continue
        seen: dict[str, list[int]] = {}
        for position, reading in enumerate(readings):
            value = getattr(reading, fact)
            if value is not None:
                seen.setdefault(value, []).append(position)
        for value, positions in seen.items():
            if len(positions) > 1:
                names = ", ".join(f"{readings[position].family} {readings[position].name}" for position in positions)
                for position in positions:
                    problem = Problem(f"{fact} {value}", f"on {names}", f"{expected} for each card")
                    told[position] = told[position]._replace(problems=(*told[position].problems, problem))
    return tuple(told)
