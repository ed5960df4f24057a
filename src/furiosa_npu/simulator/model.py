"""What a family's module tells the rest of the simulator: one record, its `MODEL`; `families` has all of them.

The reader knows the same of `hardware.families`: it stands here a second time on purpose.
"""

from collections.abc import Callable
from typing import NamedTuple

from furiosa_npu.simulator.card import Card
from furiosa_npu.simulator.management import line
from furiosa_npu.simulator.nodes import Device, Text, Tree, link_between
from furiosa_npu.simulator.state import CardState, pe_suffix


def _shows_no_throttling(card: Card) -> str | None:
    return f"{card.family.capitalize()}'s driver shows no throttling"


class Model(NamedTuple):
    """One family, as the bus and its driver show it."""

    pci_device: str
    driver: str
    """its name on the bus"""
    link_width: int
    link_speed: str
    slower_link_speed: str
    """one generation below"""
    temperatures: tuple[str, ...]
    """labels of the sensors by number, from 1 on"""
    device_folder: str
    """of the device files, in the tree"""
    class_prefix: str
    """of a device below sys/class: its class, and what stands before its name"""
    management_suffix: str
    """of the management folder's and the management file's name"""
    pe_count: int
    pe_groups: tuple[tuple[int, int], ...]
    """several PEs that the driver has one device file for, first and last, both included; narrow ones first"""
    majors: int
    """how many major numbers the driver takes"""
    first_major: int
    """where the kernel begins to look for them"""
    serial_prefix: str
    temperature_celsius: float
    power_watts: float
    driver_version: str
    """as `version` shows it"""
    render: Callable[[CardState, tuple[int, ...]], Tree]
    """device files and management folders, without a fault, from the card and the driver's majors"""
    uuid_case: Callable[[str], str] = str.lower
    whole_card_file: bool = False
    """a device file `npu{i}` has all PEs, each on its own"""
    more_sensors: Callable[[Card], dict[str, Text]] = lambda _: {}
    """beside the temperatures and RMS_TOTAL"""
    control_file: str = ""
    """the management file that users write and read; empty: none"""
    written: Callable[[CardState, str], CardState] = lambda card, _: card
    """the card after a word was written there; what the driver refuses changes nothing"""
    no_throttling: Callable[[Card], str | None] = _shows_no_throttling
    """why the card's driver shows none; None: it shows it"""

    @property
    def pe_ranges(self) -> tuple[tuple[int, int], ...]:
        """The PEs and groups of PEs that the driver has a device file for."""
        return (*((pe, pe) for pe in range(self.pe_count)), *self.pe_groups)

    @property
    def pe_suffixes(self) -> tuple[str, ...]:
        """As these files are named: `pe0`, `pe0-1`."""
        return tuple(pe_suffix(first, last) for first, last in self.pe_ranges)

    @property
    def widest(self) -> tuple[tuple[int, int], ...]:
        """The widest of them, which together open every PE."""
        most = max(last - first for first, last in self.pe_ranges)
        return tuple((first, last) for first, last in self.pe_ranges if last - first == most)

    def class_entry(self, device: str) -> tuple[str, str]:
        """The folder of one of a card's devices, and the link in its class that leads there."""
        return f"sys/devices/virtual/{self.class_prefix}{device}", f"sys/class/{self.class_prefix}{device}"

    def management(self, card: Card) -> tuple[str, str]:
        """The management folder, and the link in its class that leads there."""
        return self.class_entry(f"{card.name}{self.management_suffix}")

    def device_file(self, card: Card, suffix: str) -> str:
        """The device file of this suffix (`pe0-1`; empty: the card as a whole)."""
        return f"{self.device_folder}/{card.name}{suffix}"

    def device(self, card: Card, suffix: str, number: tuple[int, int], *, has_file: bool = True) -> Tree:
        """What the kernel makes of a device that the driver registers under (major, minor)."""
        folder, link = self.class_entry(f"{card.name}{suffix}")
        file, (major, minor) = self.device_file(card, suffix), number
        known_as = f"MAJOR={major}\nMINOR={minor}\nDEVNAME={file.removeprefix('dev/')}\n"
        return {
            f"{folder}/dev": line(f"{major}:{minor}"),
            f"{folder}/uevent": Text(known_as, 0o644),
            link: link_between(link, folder),
            **({file: Device(major, minor)} if has_file else {}),
        }
