"""Whether anything of an NPU is on the host, cheaply: what the labels say and when they go."""

from collections.abc import Sequence
from typing import NamedTuple

from furiosa_npu.hardware.bus_pci import list_npus
from furiosa_npu.hardware.devfs import list_device_files
from furiosa_npu.hardware.driver_file import FileProblem, Files
from furiosa_npu.hardware.inventory import managed_indices
from furiosa_npu.hardware.reading import FAMILIES, Family, Problem, Roots


class Presence(NamedTuple):
    """What is there of NPUs, by any sign: device file, management folder, PCI device."""

    families: tuple[Family, ...]
    """in the order of FAMILIES"""
    devices: tuple[str, ...]
    """PCI addresses of the vendor's devices"""
    unknown_devices: tuple[str, ...]
    """of those, the ones whose family is not known"""
    problems: tuple[Problem, ...]
    """what could not be looked at: with these, "nothing found" is not "nothing there\""""

    @property
    def anything(self) -> bool:
        return bool(self.families or self.unknown_devices)


def look(roots: Roots) -> Presence:
    """One look. Raises nothing; what could not be listed stands in `problems`."""
    problems: list[Problem] = []
    found: set[Family] = set()
    files = Files()
    for family in FAMILIES:
        try:
            managed = managed_indices(files, roots.sysfs, family)
        except FileProblem as problem:
            problems.append(problem.problem)
            managed = ()
        if managed or list_device_files(files, roots.devfs, family, problems):
            found.add(family)
    npus = list_npus(files, roots.sysfs, problems)
    found |= {npu.family for npu in npus if npu.family is not None}
    families = tuple(family for family in FAMILIES if family in found)
    devices = tuple(npu.bdf for npu in npus)
    return Presence(families, devices, tuple(npu.bdf for npu in npus if npu.family is None), tuple(problems))


def primary_family(families: Sequence[Family]) -> Family | None:
    """The family that the node is labelled with and offers: the first of FAMILIES; None where there is none."""
    return next((family for family in FAMILIES if family in families), None)
