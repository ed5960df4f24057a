"""The judgement over one card: a state, the reason in words, and since when."""

from typing import Literal, NamedTuple

from furiosa_npu.health.history import NEW, History

State = Literal["starting", "idle", "allocated", "occupied", "failed", "unreadable", "probation", "disabled", "gone"]
"""starting: the driver is half there · idle: may be handed out · allocated: a pod of ours holds it · occupied: in use,
and not by a pod that was served here · failed: broken · unreadable: cannot be vouched for · probation: good again,
proving it · disabled: configured so · gone: was there and is no more."""


def in_words(state: State) -> str:
    """As a sentence goes on after the card's name: `is idle`, `has failed`."""
    return _IN_WORDS.get(state) or f"is {state}"


_IN_WORDS: dict[State, str] = {"failed": "has failed", "probation": "is on probation"}

UnknownOccupancy = Literal["offer", "withhold"]


class WarningSign(NamedTuple):
    """A sign that keeps no card back."""

    sign: str
    text: str


class Verdict(NamedTuple):
    """What is held of a card; `reason` is empty where there is nothing to say."""

    state: State
    sign: str
    """the reason in a word: of a sign of health its name, else such as `in-use`; empty where there is nothing to say"""
    reason: str
    """it keeps its first words as long as state and sign stay"""
    since: float
    """seconds of the clock that `judge` was given, when state or reason last changed"""
    warnings: tuple[WarningSign, ...] = ()
    history: History = NEW
    """what the next judgement has to know"""
