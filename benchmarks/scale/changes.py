"""Which cards change when: a part of all fails in the first minute, and is good again in the second. Pure."""

from collections.abc import Callable
from typing import NamedTuple

MINUTE = 60.0


class Change(NamedTuple):
    """A card's driver says something else from now on."""

    after_seconds: float
    """since the phase began"""
    node: int
    card: int
    alive: bool


def changes(nodes: int, cards: int, part: float, random: Callable[[], float]) -> list[Change]:
    """In their order; `part` of all cards in each of the two minutes. `random` is from 0 to below 1."""
    count = round(nodes * cards * part)
    numbers = list(range(nodes * cards))
    chosen = []
    for _ in range(count):
        number = numbers.pop(int(random() * len(numbers)))
        chosen.append(divmod(number, cards))
    fail = [Change(MINUTE * random(), node, card, alive=False) for node, card in chosen]
    recover = [Change(MINUTE + MINUTE * random(), node, card, alive=True) for node, card in chosen]
    return sorted([*fail, *recover])
