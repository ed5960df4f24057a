"""Major numbers for simulated devices: none that a driver of this machine has, lest opening one reach real hardware."""

import re
from collections.abc import Collection

from furiosa_npu.hardware.reading import Family
from furiosa_npu.simulator.families import MODELS

_DYNAMIC = (*range(236, 233, -1), *range(510, 383, -1))
"""as the kernel hands them out"""


def parse_taken_majors(proc_devices: str) -> frozenset[int]:
    """Majors of the section `Character devices:` of `/proc/devices`."""
    section = proc_devices.partition("Character devices:")[2].partition("Block devices:")[0]
    return frozenset(int(number) for number in re.findall(r"^\s*(\d+)\s", section, re.MULTILINE))


def choose_majors(taken: Collection[int]) -> dict[Family, tuple[int, ...]]:
    """Each family's driver's."""
    gone = set(taken)
    chosen: dict[Family, tuple[int, ...]] = {}
    for family, model in MODELS.items():
        free = [major for major in _DYNAMIC[_DYNAMIC.index(model.first_major) :] if major not in gone]
        chosen[family] = tuple(free[: model.majors])
        gone.update(chosen[family])
    return chosen
