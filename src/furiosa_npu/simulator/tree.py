"""The whole driver tree of a state."""

from furiosa_npu.simulator import pci, renegade, warboy
from furiosa_npu.simulator.nodes import Folder, Tree
from furiosa_npu.simulator.state import State


def render(state: State) -> Tree:
    """Every file that the drivers and the kernel would show, and nothing else."""
    tree: Tree = {"dev": Folder(), "sys/class": Folder(), "sys/bus/pci/devices": Folder()}
    for position, card in enumerate(state.cards):
        if not card.present:
            continue
        driven = card.card.family not in state.unloaded
        tree |= pci.render(card.card, position, driven)
        if driven and card.card.family == "warboy":
            tree |= warboy.render(card, state.warboy_majors)
        elif driven:
            tree |= renegade.render(card, state.renegade_majors)
    return tree
