"""What only a mount can show of a state: faults of system calls, and device files that are busy. Pure."""

import errno
from typing import NamedTuple

from furiosa_npu.simulator.places import class_entry, device_file, management_folder
from furiosa_npu.simulator.state import PE_RANGES, CardState, State, pe_suffix


class CallFault(NamedTuple):
    """What becomes of reading one file through a mount."""

    hangs: bool
    errno: int | None
    """the answer where it does not hang; None: the file's text"""


def call_faults(state: State) -> dict[str, CallFault]:
    """Faults of system calls by the file's path in the tree, links followed."""
    found: dict[str, CallFault] = {}
    for card in state.cards:
        for fault in card.faults:
            if fault.name not in ("syscall", "hang"):
                continue
            file, _, error = fault.value.partition(":")
            for path in _paths(card, file):
                known = found.get(path, CallFault(hangs=False, errno=None))
                number = getattr(errno, error) if error else known.errno
                found[path] = CallFault(known.hangs or fault.name == "hang", number)
    return found


def _paths(card: CardState, file: str) -> list[str]:
    if file != "perf_regs":
        return [f"{management_folder(card.card)}/{file}"]
    devices = [f"{card.card.name}{pe_suffix(*pair)}" for pair in PE_RANGES[card.card.family]]
    return [f"{class_entry(card.card, device)[0]}/perf_regs" for device in devices]


def busy_files(state: State) -> frozenset[str]:
    """Compute files, by path in the tree, of which somebody holds a PE by this file or another."""
    busy = set()
    for card in state.cards:
        held = frozenset[int]().union(*(hold.pes for hold in card.holds))
        for first, last in PE_RANGES[card.card.family]:
            if held & set(range(first, last + 1)):
                busy.add(device_file(card.card, pe_suffix(first, last)))
        if held and card.card.family == "warboy":
            busy.add(device_file(card.card, ""))
    return frozenset(busy)
