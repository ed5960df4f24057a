"""What faults make of a card's files, those that plain files can show."""

from furiosa_npu.simulator.families import model_of
from furiosa_npu.simulator.fault_values import WHOLE_CARD
from furiosa_npu.simulator.nodes import Device, Text, Tree
from furiosa_npu.simulator.state import CardState

RUBBISH = "\x7f?rubbish=\n"
"""No format of a driver's file allows it: a control character, and neither number nor list."""


def with_faults(card: CardState, tree: Tree) -> Tree:
    """The card's files, `tree` without a fault, as its faults leave them."""
    model = model_of(card.card)
    folder, link = model.management(card.card)
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
                shown.pop(model.device_file(card.card, "" if fault.value == WHOLE_CARD else fault.value), None)
            case "no-device-files":
                shown = {path: node for path, node in shown.items() if not isinstance(node, Device)}
            case "no-management":
                shown = {p: node for p, node in shown.items() if p != link and not p.startswith(f"{folder}/")}
    return shown


def _replace(tree: Tree, path: str, content: str | None = None, mode: int | None = None) -> None:
    """Where the file is not there (it is missing too), nothing."""
    node = tree.get(path)
    if isinstance(node, Text):
        tree[path] = Text(node.content if content is None else content, node.mode if mode is None else mode)
