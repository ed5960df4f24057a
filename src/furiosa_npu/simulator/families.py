"""The families that there are, each from its module."""

from furiosa_npu.hardware.reading import Family
from furiosa_npu.simulator import renegade, warboy
from furiosa_npu.simulator.card import Card
from furiosa_npu.simulator.model import Model

MODELS: dict[Family, Model] = {"warboy": warboy.MODEL, "renegade": renegade.MODEL}


def model_of(card: Card) -> Model:
    """Its family's."""
    return MODELS[card.family]
