"""What faults make of a card's files: of the tree that the driver would show, and of a mount's system calls."""

import errno
from typing import NamedTuple

from furiosa_npu.simulator.fault_values import WHOLE_CARD
from furiosa_npu.simulator.nodes import Device, Text, Tree
from furiosa_npu.simulator.places import class_entry, device_file, management_folder, management_name
from furiosa_npu.simulator.state import PE_RANGES, CardState, State, pe_suffix

RUBBISH = "\x7f?rubbish=\n"
"""No format of a driver's file allows it: a control character, and neither number nor list."""


def with_faults(card: CardState, tree: Tree) -> Tree:
    """The card's files, `tree` without a fault, as its faults leave them."""
    folder = management_folder(card.card)
    shown = dict(tree)
    for fault in card.faults:
        path = f"{folder}/{fault.value}"
        match fault.name:
            case "malformed":
                _replace(shown, path, content=RUBBISH)
            case "empty":
                _replace(shown, path, content="")
            case "unreadable":
                _replace(shown, path, mode=0)
            case "missing":
                shown.pop(path, None)
            case "device-file-missing":
                shown.pop(device_file(card.card, "" if fault.value == WHOLE_CARD else fault.value), None)
            case "no-device-files":
                shown = {path: node for path, node in shown.items() if not isinstance(node, Device)}
            case "no-management":
                link = class_entry(card.card, management_name(card.card))[1]
                shown = {p: node for p, node in shown.items() if p != link and not p.startswith(f"{folder}/")}
    return shown


def _replace(tree: Tree, path: str, content: str | None = None, mode: int | None = None) -> None:
    """Where the file is not there (it is missing too), nothing."""
    node = tree.get(path)
    if isinstance(node, Text):
        tree[path] = Text(node.content if content is None else content, node.mode if mode is None else mode)


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
