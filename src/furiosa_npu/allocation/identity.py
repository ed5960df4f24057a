"""Which reading is which unit: ids that survive reboots, renumbering, and a UUID that cannot be read for a while."""

from collections.abc import Mapping, Sequence

from furiosa_npu.hardware.reading import Reading


def identify(readings: Sequence[Reading], known: Mapping[str, Reading]) -> dict[str, Reading]:
    """Readings by unit id: the UUID, else the PCI address.

    A card whose UUID cannot be read now keeps the id under which it is `known` (ids to last readings), by its PCI
    address or, where that cannot be read either, by family and number; else a held card would vanish from its pod.
    Two cards that claim one id are kept apart: the later one goes by its address, its name, its place.
    """
    units: dict[str, Reading] = {}
    unnamed: list[Reading] = []
    for reading in readings:
        if reading.uuid is None or reading.uuid in units:
            unnamed.append(reading)
        else:
            units[reading.uuid] = reading
    for reading in unnamed:
        units[_id_without_uuid(reading, units, known)] = reading
    return units


def _id_without_uuid(reading: Reading, taken: Mapping[str, Reading], known: Mapping[str, Reading]) -> str:
    candidates = [reading.pci_bdf or reading.name, f"{reading.family}-{reading.name}"]
    if reading.uuid is None and _uuid_is_unknown(reading):
        candidates = [unit for unit, last in known.items() if _same_card(last, reading)] + candidates
    for candidate in candidates:
        if candidate not in taken:
            return candidate
    return f"{reading.family}-{reading.name}-{len(taken)}"


def _uuid_is_unknown(reading: Reading) -> bool:
    """The UUID could not be read, as against a card that has none."""
    return (
        not reading.management
        or reading.unanswered is not None
        or any(problem.path.endswith("/device_uuid") for problem in reading.problems)
    )


def _same_card(last: Reading, reading: Reading) -> bool:
    if last.family != reading.family:
        return False
    if reading.pci_bdf is not None and last.pci_bdf is not None:
        return reading.pci_bdf == last.pci_bdf
    return reading.index is not None and reading.index == last.index
