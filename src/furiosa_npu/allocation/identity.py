"""Which reading is which unit: ids that survive reboots, renumbering, and a UUID that cannot be read for a while."""

from collections.abc import Callable, Mapping, Sequence

from furiosa_npu.hardware.reading import Reading


def identify(
    readings: Sequence[Reading], known: Mapping[str, Reading], is_held: Callable[[str], bool] = lambda _: False
) -> dict[str, Reading]:
    """Readings by unit id: the UUID, else the PCI address. A card that a pod holds under its PCI address goes by that
    until it is let go, though its UUID shows by now.

    A card that shows no UUID now keeps the id under which it is `known` (ids to last readings), by its PCI address or,
    where that cannot be read either, by family and number; else a held card would vanish from its pod, and come back as
    another one that nobody holds. What `doubt` says of it then keeps it from being handed out.
    Two cards that claim one id are kept apart: the later one goes by its address, its name, its place.
    """
    units: dict[str, Reading] = {}
    unnamed: list[Reading] = []
    for reading in readings:
        if reading.uuid is not None and reading.pci_bdf is not None and is_held(reading.pci_bdf):
            units[reading.pci_bdf] = reading
        elif reading.uuid is None or reading.uuid in units:
            unnamed.append(reading)
        else:
            units[reading.uuid] = reading
    for reading in unnamed:
        units[_id_without_uuid(reading, units, known)] = reading
    return units


def is_same_place(last: Reading, reading: Reading) -> bool:
    """By the PCI address, where both tell theirs: numbers go from card to card. Else by family and number."""
    if reading.pci_bdf is not None and last.pci_bdf is not None:
        return reading.pci_bdf == last.pci_bdf
    return last.family == reading.family and reading.index is not None and reading.index == last.index


def ids_without_uuid(reading: Reading) -> list[str]:
    """What the card goes by, the first first, as long as its UUID is not known."""
    return [reading.pci_bdf or reading.name, f"{reading.family}-{reading.name}"]


def doubt(unit_id: str, reading: Reading, lost: Sequence[str]) -> str | None:
    """Why a card that shows no UUID may be another one than `unit_id`, or None.

    `lost`: units that pods hold and that no reading shows; of those with a UUID it may be any.
    """
    if reading.uuid is not None or reading.index is None:
        return None  # under its UUID, or held by its address
    if unit_id not in ids_without_uuid(reading):
        return f"the driver shows no UUID for {reading.name}, expected {unit_id}, which it was before"
    missed = ", ".join(unit for unit in lost if not _is_pci_address(unit))
    if missed:
        return (
            f"the driver shows no UUID for {reading.name}: it may be {missed}, which a pod holds and which is not seen"
        )
    return None


def _id_without_uuid(reading: Reading, taken: Mapping[str, Reading], known: Mapping[str, Reading]) -> str:
    candidates = ids_without_uuid(reading)
    if reading.uuid is None:
        candidates = [
            unit for unit, last in known.items() if last.family == reading.family and is_same_place(last, reading)
        ] + candidates
    for candidate in candidates:
        if candidate not in taken:
            return candidate
    return f"{reading.family}-{reading.name}-{len(taken)}"


def _is_pci_address(unit_id: str) -> bool:
    """As a card's id, or in its unit's name: `0000:3b:00.0`, `npu-0000-3b-00-0-pe0`."""
    return ":" in unit_id or [len(word) for word in unit_id.split("-")[2:5]] == [2, 2, 1]
