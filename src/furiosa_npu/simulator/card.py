"""A card as a scenario wants it, and the error that says why there cannot be such a card."""

from typing import NamedTuple

from furiosa_npu.hardware.reading import Family

MAX_INDEX = 255


class Card(NamedTuple):
    """One card as the scenario wants it, nothing left open."""

    family: Family
    index: int  # type: ignore[assignment]  # the scenario's word; nobody looks for a place in the tuple
    uuid: str
    """empty: the driver's file is empty, as on early cards"""
    serial: str
    pci_bdf: str
    numa_node: int
    """-1 is none, as the kernel writes it"""
    platform_type: str
    temperature_celsius: float
    power_watts: float
    driver_version: str
    """as `version` shows it; a Renegade's before 2024.2 is of the older generation"""
    critical_celsius: float | None
    """what `temp<n>_crit` shows; None: there are no such files"""

    @property
    def name(self) -> str:
        """`npu0`: a name for people, which both families may use."""
        return f"npu{self.index}"


class ScenarioError(ValueError):
    """The user's scenario says something that no card can be: `field: found ..., expected ...`."""

    def __init__(self, field: str, found: str, expected: str) -> None:
        super().__init__(f"{field}: found {found}, expected {expected}")


def say(value: object) -> str:
    """A value as an error shows it: its kind, and itself where it is short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    kinds = {int: "the integer", float: "the number", str: "the text", list: "a list", dict: "a mapping"}
    kind = kinds.get(type(value), f"a {type(value).__name__}")
    shown = repr(value)
    return f"{kind} {shown if len(shown) <= 60 else shown[:57] + '...'}"
