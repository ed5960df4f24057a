"""What one reading says of a card and of its device files."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.occupancy import pes_in_use
from furiosa_npu.hardware.reading import DeviceFile, Reading

Status = Literal["Ready", "In use", "Failed"]


class CardStatus(NamedTuple):
    status: Status
    reason: str | None
    """None where there is nothing to say"""


def card_status(card: Reading) -> CardStatus:
    """Failed: a problem, or not alive. In use: one of its PEs is, as far as one reading tells."""
    if card.problems:
        return CardStatus("Failed", "; ".join(str(problem) for problem in card.problems))
    if card.alive is False:
        file = TRAITS[card.family].alive_file
        return CardStatus("Failed", f"not alive: the driver's file {file} says that the card does not run")
    used = [str(pe) for pe, in_use in enumerate(pes_in_use(card)) if in_use]
    return CardStatus("In use", f"PE {', '.join(used)} in use") if used else CardStatus("Ready", None)


def failures(cards: Sequence[Reading]) -> tuple[str, ...]:
    """A sentence for each card that failed, in the cards' order."""
    judged = ((card, card_status(card)) for card in cards)
    return tuple(
        f"{card.name} ({card.family}) failed: {reason}" for card, (status, reason) in judged if status == "Failed"
    )


def file_status(card: Reading, file: DeviceFile) -> Status:
    """The status of one compute file: in use if one of its PEs is."""
    if card_status(card).status == "Failed":
        return "Failed"
    signs = pes_in_use(card)
    of_file = signs if file.first_pe is None or file.last_pe is None else signs[file.first_pe : file.last_pe + 1]
    return "In use" if any(of_file) else "Ready"


def file_type(file: DeviceFile) -> str:
    """The column `Type`."""
    return {"card": "All PE(s)", "pe": "Single PE"}.get(file.kind, "PE Fusion")


def card_title(card: Reading) -> str:
    """The column `Name`."""
    return f"FuriosaAI {TRAITS[card.family].title}"
