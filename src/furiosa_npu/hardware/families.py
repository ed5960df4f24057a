"""The families of NPUs, and what tells them apart: a record each, from which the other modules take their tables.

Facts alone. What the files of a management folder mean is code, in a module a family (`card_reader` has the table).
"""

from typing import Literal, NamedTuple

Family = Literal["warboy", "renegade"]

Span = tuple[int, int]
"""the first and the last of PEs that follow each other, both included"""


class Traits(NamedTuple):
    """One family."""

    title: str
    """for people"""
    product: str
    """the labels' word, which the vendor's later generations use"""
    pci_device: str
    """device id on the bus"""
    device_folder: str
    """of its device files, below the devfs root; empty: the root itself"""
    device_names: Literal["npu0_mgmt", "npu0mgmt"]
    """how its device files are named (`device_names`), told by the management file's"""
    management_folder: str
    """of one card, below the sysfs root; {index} stands for its number"""
    alive_file: str
    """the management file that says whether the card runs"""
    occupancy: Literal["perf_regs", "pe_occupancy"]
    """the files by which the driver shows that PEs are in use"""
    pe_count: int
    pe_groups: tuple[Span, ...]
    """PEs that can be used as one: the driver has a device file for each group. The widest together are the card"""
    pe_memory_bytes: int | None = None
    """of one PE in silicon, as far as the vendor tells it"""
    withheld: tuple[str, ...] = ()
    """kinds of device files that no container is given"""

    @property
    def management_class(self) -> str:
        """The folder of the management folders, below the sysfs root."""
        return self.management_folder.rpartition("/")[0]

    @property
    def pes(self) -> tuple[Span, ...]:
        """Each PE on its own."""
        return tuple((pe, pe) for pe in range(self.pe_count))

    @property
    def widest_groups(self) -> tuple[Span, ...]:
        """The fewest device files that together are all PEs."""
        most = max(last - first for first, last in self.pe_groups)
        return tuple((first, last) for first, last in self.pe_groups if last - first == most)


TRAITS: dict[Family, Traits] = {
    "warboy": Traits(
        title="Warboy",
        product="warboy",
        pci_device="0x0000",
        device_folder="",
        device_names="npu0_mgmt",
        management_folder="class/npu_mgmt/npu{index}_mgmt",
        alive_file="alive",
        occupancy="perf_regs",
        pe_count=2,
        pe_groups=((0, 1),),
        withheld=("bar",),
    ),
    "renegade": Traits(
        title="Renegade",
        product="rngd",
        pci_device="0x0001",
        device_folder="rngd",
        device_names="npu0mgmt",
        management_folder="class/rngd_mgmt/rngd!npu{index}mgmt",
        alive_file="device_state",
        occupancy="pe_occupancy",
        pe_count=8,
        pe_groups=((0, 1), (2, 3), (4, 5), (6, 7), (0, 3), (4, 7)),  # none has all eight
        pe_memory_bytes=6_375_342_080,  # 47.5 GiB a card
    ),
}
"""In the order in which cards of several families are shown; the first that a node has is the one it offers."""

FAMILIES: tuple[Family, ...] = tuple(TRAITS)
