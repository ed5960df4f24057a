"""`state.json` in the simulation's folder, which the commands and a live `run` share: its text, both ways."""

import json
from typing import Any

from furiosa_npu.hardware.reading import Family
from furiosa_npu.simulator.card import Card
from furiosa_npu.simulator.families import MODELS
from furiosa_npu.simulator.faults import Fault
from furiosa_npu.simulator.state import CardState, Hold, State

FORMAT = 2


class StateFileError(ValueError):
    """The file is not one that this version has written."""


def to_json(state: State, roots: tuple[str, str]) -> str:
    """`roots`: devfs and sysfs root, relative to the simulation's folder where they lie in it."""
    return json.dumps(
        {
            "format": FORMAT,
            "roots": list(roots),
            "plain_files": state.plain_files,
            **{_majors(family): list(majors) for family, majors in state.majors.items()},
            "unloaded": list(state.unloaded),
            "cards": [card._asdict() | {"card": card.card._asdict()} for card in state.cards],
        },
        indent=1,
    )


def from_json(text: str, path: str) -> tuple[State, tuple[str, str]]:
    """The state and its roots. Raises `StateFileError`, naming `path`."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise StateFileError(
                f"{path}: found format {document['format']}, expected {FORMAT}: remove the folder and create anew"
            )
        state = State(
            cards=tuple(_card(entry) for entry in document["cards"]),
            plain_files=document["plain_files"],
            majors={
                family: tuple(document[_majors(family)][number] for number in range(model.majors))
                for family, model in MODELS.items()
            },
            unloaded=tuple(document["unloaded"]),
        )
        return state, (document["roots"][0], document["roots"][1])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        if isinstance(error, StateFileError):
            raise
        raise StateFileError(
            f"{path}: found {error!r}, expected the state of a simulation: remove the folder and create anew"
        ) from error


def _majors(family: Family) -> str:
    """The key of its driver's majors."""
    return f"{family}_majors"


def _card(entry: dict[str, Any]) -> CardState:
    return CardState(
        **entry
        | {
            "card": Card(**entry["card"]),
            "faults": tuple(Fault(*fault) for fault in entry["faults"]),
            "holds": tuple(Hold(*hold) for hold in entry["holds"]),
        }
    )
