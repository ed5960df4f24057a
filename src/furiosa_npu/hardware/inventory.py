"""Which cards a host has, before any is read: device files, management folders, PCI devices."""

from typing import NamedTuple

from furiosa_npu.hardware.bus_pci import DEVICES, PciNpu, list_npus
from furiosa_npu.hardware.devfs import list_device_files
from furiosa_npu.hardware.device_names import parse_device_name
from furiosa_npu.hardware.driver_file import FileProblem, Files
from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.reading import FAMILIES, DeviceFile, Family, Problem, Roots


class Found(NamedTuple):
    """A card that a driver shows at least half of."""

    family: Family
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks a card for
    device_files: tuple[DeviceFile, ...]
    managed: bool
    """the management folder is there"""
    problems: tuple[Problem, ...] = ()
    """of the host's folders: without their names nobody knows what the card has"""


class Inventory(NamedTuple):
    """One look at the host's folders."""

    cards: tuple[Found, ...]
    """by family in the order of FAMILIES, then by number"""
    npus: tuple[PciNpu, ...]
    """all on the PCI bus, by address"""
    npu_problems: tuple[Problem, ...]
    """of devices on the bus that might be NPUs"""


class Lister:
    """Looks again and again; names that are the same mean the same cards."""

    def __init__(self, roots: Roots) -> None:
        self.files = Files()
        self._roots = roots
        self._names: list[tuple[str, ...]] = []
        self._inventory: Inventory | None = None

    def look(self, *, anew: bool) -> Inventory:
        """What is there now. The same object as before where the folders have the same names, unless it is `anew`."""
        folders = [f"{self._roots.devfs}/{traits.device_folder}" for traits in TRAITS.values()]
        folders += [f"{self._roots.sysfs}/{traits.management_class}" for traits in TRAITS.values()]
        try:
            names = [self.files.names(folder) for folder in (*folders, f"{self._roots.sysfs}/{DEVICES}")]
        except FileProblem:
            names = []  # said below, by whom it concerns
        told = self._inventory
        if told is None or anew or not names or names != self._names or told.npu_problems:
            self._inventory = self._read()
            self._names = names
            return self._inventory
        return told

    def _read(self) -> Inventory:
        cards: list[Found] = []
        for family in FAMILIES:
            problems: list[Problem] = []
            files = list_device_files(self.files, self._roots.devfs, family, problems)
            managed: tuple[int, ...] = ()
            try:
                managed = managed_indices(self.files, self._roots.sysfs, family)
            except FileProblem as problem:
                problems.append(problem.problem)
            cards += [
                Found(family, index, files.get(index, ()), index in managed, tuple(problems))
                for index in sorted({*files, *managed})
            ]
        npu_problems: list[Problem] = []
        npus = list_npus(self.files, self._roots.sysfs, npu_problems)
        return Inventory(tuple(cards), npus, tuple(npu_problems))


def managed_indices(files: Files, sysfs: str, family: Family) -> tuple[int, ...]:
    """The numbers of the family's management folders. Raises FileProblem."""
    traits = TRAITS[family]
    folder, _, management = traits.management_folder.rpartition("/")
    prefix, _, end = management.partition("npu{index}")
    names = (name for name in files.names(f"{sysfs}/{folder}") if name.startswith(prefix) and name.endswith(end))
    devices = [parse_device_name(family, name.removeprefix(prefix)) for name in names]
    return tuple(sorted(device.index for device in devices if device is not None and device.kind == "management"))
