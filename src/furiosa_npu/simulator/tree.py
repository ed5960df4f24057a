"""The whole driver tree of a state."""

from furiosa_npu.simulator import pci
from furiosa_npu.simulator.families import model_of
from furiosa_npu.simulator.fault_effects import with_faults
from furiosa_npu.simulator.nodes import Folder, Tree
from furiosa_npu.simulator.state import CardState, State


def render(state: State) -> Tree:
    """Every file that the drivers and the kernel would show, and nothing else."""
    tree: Tree = {"dev": Folder(), "sys/class": Folder(), "sys/bus/pci/devices": Folder()}
    for position, card in enumerate(state.cards):
        if not card.present:
            continue
        driven = card.card.family not in state.unloaded
        tree |= pci.render(card, position, driven)
        if driven:
            tree |= with_faults(card, of_the_driver(state, card))
    return tree


def of_the_driver(state: State, card: CardState) -> Tree:
    """What the card's driver makes: device files and class folders, as they are without a missing or broken file."""
    return model_of(card.card).render(card, state.majors[card.card.family])
