"""Files that a user may write: what was written, and what the driver makes of it.

A driver takes the number 2 and shows `2 (NORMAL 1)`; a plain file keeps what was written until a simulation looks.
"""

from collections.abc import Callable

from furiosa_npu.simulator.families import model_of
from furiosa_npu.simulator.nodes import Text, Tree
from furiosa_npu.simulator.state import CardState, State


def control_path(card: CardState) -> str:
    """The file of a card that is read and written."""
    model = model_of(card.card)
    return f"{model.management(card.card)[0]}/{model.control_file}"


def take_in(state: State, tree: Tree, read: Callable[[str], str | None]) -> tuple[State, frozenset[str]]:
    """The state after what users wrote, and the paths that no longer read as `tree` has them.

    `read` gives a file's text by its path in the tree, None where it cannot be read. An empty file is one that somebody
    is about to write. What a driver would refuse (another number, another word) changes nothing, and the file shows
    the old value again.
    """
    cards, touched = [], set()
    for card in state.cards:
        path = control_path(card)
        node = tree.get(path)
        text = read(path) if isinstance(node, Text) else None
        if isinstance(node, Text) and text and text.strip() and text != node.content:
            touched.add(path)
            cards.append(model_of(card.card).written(card, text.strip()))
        else:
            cards.append(card)
    return state._replace(cards=tuple(cards)), frozenset(touched)
