"""`/sys/bus/pci/devices/<bdf>/`: the NPUs on the bus; NUMA node and link of one (Documentation/ABI sysfs-bus-pci)."""

import re
from typing import NamedTuple

from furiosa_npu.hardware import parsers
from furiosa_npu.hardware.driver_file import FileProblem, Files, error_name
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.reading import Family, PciLink, Problem

DEVICES = "bus/pci/devices"
VENDOR = "0x1ed2"
CLASS_PREFIX = "0x1200"
"""processing accelerator, any programming interface"""
_ROOT = re.compile(r"pci[0-9a-f]{4,8}:[0-9a-f]{2}", re.ASCII)
_FAMILY_BY_DEVICE: dict[str, Family] = {traits.pci_device: family for family, traits in TRAITS.items()}


class PciNpu(NamedTuple):
    """A PCI device of the vendor and class."""

    bdf: str
    family: Family | None
    """None: a device id that is no family's"""
    device_id: str


def list_npus(files: Files, sysfs: str, problems: list[Problem]) -> tuple[PciNpu, ...]:
    """The NPUs on the bus by address. A device whose ids cannot be read might be one: that is put into `problems`."""
    found = []
    try:
        names = files.names(f"{sysfs}/{DEVICES}")
    except FileProblem as problem:
        problems.append(problem.problem)
        return ()
    for name in names:
        folder = f"{sysfs}/{DEVICES}/{name}"
        if _id(files, f"{folder}/vendor", problems) != VENDOR:
            continue
        if _id(files, f"{folder}/class", problems).startswith(CLASS_PREFIX):
            device = _id(files, f"{folder}/device", problems)
            found.append(PciNpu(name, _FAMILY_BY_DEVICE.get(device), device))
    return tuple(found)


def read_numa_node(files: Files, sysfs: str, bdf: str, problems: list[Problem]) -> int | None:
    """The device's NUMA node; None where there is none."""
    return Facts(files, f"{sysfs}/{DEVICES}/{bdf}", problems).optional("numa_node", parsers.parse_numa_node)


def read_root(files: Files, sysfs: str, bdf: str) -> str | None:
    """The root complex that the device is behind, `pci0000:00`: where its entry on the bus leads to.

    None where that is no link into `devices/pci*`, as in a recorded tree.
    """
    words = (files.link(f"{sysfs}/{DEVICES}/{bdf}") or "").split("/")
    root = next((word for word in words if word.startswith("pci")), None)
    return root if words[-1] == bdf and root is not None and _ROOT.fullmatch(root) is not None else None


def read_link(files: Files, sysfs: str, bdf: str, problems: list[Problem]) -> PciLink | None:
    """Width and speed, now and at most; None where the kernel shows none of them."""
    facts = Facts(files, f"{sysfs}/{DEVICES}/{bdf}", problems)
    link = PciLink(
        width=facts.optional("current_link_width", parsers.parse_int),
        max_width=facts.optional("max_link_width", parsers.parse_int),
        speed_gts=facts.optional("current_link_speed", parsers.parse_link_speed),
        max_speed_gts=facts.optional("max_link_speed", parsers.parse_link_speed),
    )
    return None if link == PciLink(None, None, None, None) else link


def _id(files: Files, path: str, problems: list[Problem]) -> str:
    """A device that left the bus since it was listed has none."""
    try:
        return files.parsed(path, str.lower, "an id in hexadecimal")
    except FileNotFoundError:
        return ""
    except FileProblem as problem:
        problems.append(problem.problem)
    except PermissionError as error:
        problems.append(Problem(path, error_name(error), "an id in hexadecimal"))
    return ""
