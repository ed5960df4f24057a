"""All cards of a host in one pass: `read_cards`; one card anew: `read_card`. No tree, whatever it holds, raises."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from furiosa_npu.hardware import class_npu_mgmt, class_rngd_mgmt
from furiosa_npu.hardware.bus_pci import DEVICES, PciNpu, list_npus, read_link, read_numa_node
from furiosa_npu.hardware.devfs import list_device_files
from furiosa_npu.hardware.driver_file import FileProblem
from furiosa_npu.hardware.hwmon import read_sensors
from furiosa_npu.hardware.reading import FAMILIES, DeviceFile, Family, Problem, Reading, Roots


class _Management(NamedTuple):
    """How one family's management folders are read."""

    folder: str
    """of one card, below the sysfs root; {index} stands for its number"""
    indices: Callable[[str], tuple[int, ...]]
    read: Callable[[str, Reading, list[Problem]], Reading]


_MANAGEMENT: dict[Family, _Management] = {
    "warboy": _Management(class_npu_mgmt.FOLDER, class_npu_mgmt.management_indices, class_npu_mgmt.read_management),
    "renegade": _Management(
        class_rngd_mgmt.FOLDER, class_rngd_mgmt.management_indices, class_rngd_mgmt.read_management
    ),
}


def read_cards(roots: Roots) -> tuple[Reading, ...]:
    """Warboys by number, then Renegades by number, then PCI devices that no driver has taken, by address."""
    readings: list[Reading] = []
    for family in FAMILIES:
        problems: list[Problem] = []
        files = list_device_files(roots.devfs, family, problems)
        managed = _managed(roots, family, problems)
        readings += [
            _read(roots, family, index, files.get(index, ()), index in managed, problems)
            for index in sorted({*files, *managed})
        ]
    readings = _without_doubles(readings)
    taken = {reading.pci_bdf for reading in readings}
    of_the_bus: list[Problem] = []
    for npu in list_npus(roots.sysfs, of_the_bus):
        if npu.bdf not in taken:
            readings.append(_driverless(roots, npu, readings))
    return tuple(readings)


def read_card(roots: Roots, family: Family, index: int) -> Reading:
    """The card anew. Of a card that is gone: no management folder, no device files, and a problem that says so."""
    problems: list[Problem] = []
    files = list_device_files(roots.devfs, family, problems)
    managed = _managed(roots, family, problems)
    return _read(roots, family, index, files.get(index, ()), index in managed, problems)


def _managed(roots: Roots, family: Family, problems: list[Problem]) -> tuple[int, ...]:
    try:
        return _MANAGEMENT[family].indices(roots.sysfs)
    except FileProblem as problem:
        problems.append(problem.problem)
        return ()


def _read(
    roots: Roots,
    family: Family,
    index: int,
    files: tuple[DeviceFile, ...],
    managed: bool,
    of_the_host: Sequence[Problem],
) -> Reading:
    problems = list(of_the_host)
    reading = Reading(family, index, managed, files)
    if not managed:
        folder = f"{roots.sysfs}/{_MANAGEMENT[family].folder.format(index=index)}"
        expected = f"the management folder of {reading.name}: the driver has not finished, or the card left the bus"
        problems.append(Problem(folder, "no such folder", expected))
    if not files:
        expected = f"device files of {reading.name}: the driver has not finished, or the card left the bus"
        problems.append(Problem(roots.devfs, "none", expected))
    if managed:
        reading = _MANAGEMENT[family].read(roots.sysfs, reading, problems)
    if reading.pci_bdf is not None:
        reading = reading._replace(
            numa_node=read_numa_node(roots.sysfs, reading.pci_bdf, problems),
            pci_link=read_link(roots.sysfs, reading.pci_bdf, problems),
            sensors=read_sensors(f"{roots.sysfs}/{DEVICES}/{reading.pci_bdf}", problems),
        )
    return reading._replace(problems=tuple(problems))


def _driverless(roots: Roots, npu: PciNpu, readings: Sequence[Reading]) -> Reading:
    folder = f"{roots.sysfs}/{DEVICES}/{npu.bdf}"
    problems = [Problem(folder, "a PCI device without a management folder", "a driver that has taken it")]
    family = npu.family
    if family is None:
        found = f"device id {npu.device_id or 'unreadable'}"
        problems.append(Problem(f"{folder}/device", found, "0x0000 (Warboy) or 0x0001 (Renegade)"))
        # A card of an unknown family has to stand somewhere; with its problem it is never handed out.
        family = readings[0].family if readings else "warboy"
    node = read_numa_node(roots.sysfs, npu.bdf, problems)
    return Reading(family, None, management=False, pci_bdf=npu.bdf, numa_node=node, problems=tuple(problems))


def _without_doubles(readings: list[Reading]) -> list[Reading]:
    """Two cards of one UUID or PCI address: neither can be vouched for, both say so."""
    told = list(readings)
    for fact, expected in (("uuid", "a UUID of its own"), ("pci_bdf", "a PCI address of its own")):
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
    return told
