"""What only a mount can show of a state: faults of system calls, and device files that are busy or hang. Pure."""

import errno
from typing import NamedTuple

from furiosa_npu.simulator.families import model_of
from furiosa_npu.simulator.fault_values import WHOLE_CARD
from furiosa_npu.simulator.state import CardState, State, pe_suffix


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
    model = model_of(card.card)
    if file != "perf_regs":
        return [f"{model.management(card.card)[0]}/{file}"]
    devices = [f"{card.card.name}{suffix}" for suffix in model.pe_suffixes]
    return [f"{model.class_entry(device)[0]}/perf_regs" for device in devices]


def hanging_files(state: State) -> frozenset[str]:
    """Device files, by path in the tree, whose opening hangs."""
    return frozenset(
        model_of(card.card).device_file(card.card, "" if fault.value == WHOLE_CARD else fault.value)
        for card in state.cards
        for fault in card.faults
        if fault.name == "hang-open"
    )


def busy_files(state: State) -> frozenset[str]:
    """Compute files, by path in the tree, of which somebody holds a PE by this file or another."""
    busy = set()
    for card in state.cards:
        model = model_of(card.card)
        held = frozenset[int]().union(*(hold.pes for hold in card.holds))
        for first, last in model.pe_ranges:
            if held & set(range(first, last + 1)):
                busy.add(model.device_file(card.card, pe_suffix(first, last)))
        if held and model.whole_card_file:
            busy.add(model.device_file(card.card, ""))
    return frozenset(busy)
