"""Major numbers for simulated devices: none that a driver of this machine has, lest opening one reach real hardware."""

import re
from collections.abc import Collection

WARBOY_MAJORS = 16


def parse_taken_majors(proc_devices: str) -> frozenset[int]:
    """Majors of the section `Character devices:` of `/proc/devices`."""
    section = proc_devices.partition("Character devices:")[2].partition("Block devices:")[0]
    return frozenset(int(number) for number in re.findall(r"^\s*(\d+)\s", section, re.MULTILINE))


def choose_majors(taken: Collection[int]) -> tuple[tuple[int, ...], tuple[int, int]]:
    """(Warboy's, Renegade's two): from 510 and from 236 downwards, as the kernel hands out dynamic ones."""
    free = [major for major in range(510, 383, -1) if major not in taken]
    low = [major for major in range(236, 233, -1) if major not in taken]
    warboy, rest = free[:WARBOY_MAJORS], free[WARBOY_MAJORS:]
    renegade = (*low, *rest)[:2]
    return tuple(warboy), (renegade[0], renegade[1])
