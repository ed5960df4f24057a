"""What a simulation is at one instant, and which card of it the user means. Values and pure functions."""

from collections.abc import Mapping
from typing import NamedTuple

from furiosa_npu.hardware.reading import Family
from furiosa_npu.simulator.card import Card
from furiosa_npu.simulator.faults import Fault

CYCLES_A_SECOND = 2_000_000_000
TASK_CYCLES_A_SECOND = 1_600_000_000
TENSOR_CYCLES_A_SECOND = 1_200_000_000
"""An occupied PE works: utilization 0.8, of it 0.75 computation and 0.25 I/O."""


class UnknownNpuError(LookupError):
    """The user named an NPU that is not there, or that is not the only one of that name."""


class Hold(NamedTuple):
    """PEs in use through one device file, and how long their counters have been running."""

    first_pe: int
    last_pe: int
    seconds: int = 0

    @property
    def pes(self) -> frozenset[int]:
        return frozenset(range(self.first_pe, self.last_pe + 1))

    @property
    def suffix(self) -> str:
        """`pe0-1`, as in the device file's name."""
        return pe_suffix(self.first_pe, self.last_pe)


class CardState(NamedTuple):
    """One card now."""

    card: Card
    present: bool = True
    """in its slot"""
    faults: tuple[Fault, ...] = ()
    """sorted, one of a subject"""
    heartbeat_seconds: int = 0
    errors: int = 0
    """what each line of atr_error that ends in `Error` has counted"""
    doorbells: int = 0
    """what its lines `Doorbell done` have counted: seconds of PEs at work, no error"""
    holds: tuple[Hold, ...] = ()
    performance_mode: int = 4
    governor: str = "performance"

    def has(self, fault: str) -> bool:
        """Whether it has a fault of this name."""
        return self.value_of(fault) is not None

    def value_of(self, fault: str) -> str | None:
        """The value of the fault of this name; None where the card does not have it."""
        return next((each.value for each in self.faults if each.name == fault), None)


class State(NamedTuple):
    """A whole simulation now."""

    cards: tuple[CardState, ...]
    """in the order of the scenario: positions give hwmon numbers"""
    plain_files: bool
    """device files are plain files, for want of the right to make real ones"""
    majors: Mapping[Family, tuple[int, ...]]
    """each driver's"""
    unloaded: tuple[Family, ...] = ()
    """families whose driver is unloaded"""


def pe_suffix(first: int, last: int) -> str:
    return f"pe{first}" if first == last else f"pe{first}-{last}"


def find(state: State, npu: str) -> CardState:
    """The card that a UUID, a PCI address or a unique name means. Raises `UnknownNpuError`."""
    found = [c for c in state.cards if npu.lower() in (c.card.uuid.lower(), c.card.pci_bdf) and npu]
    found = found or [c for c in state.cards if c.card.name == npu]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{c.card.uuid or c.card.pci_bdf} ({c.card.family})" for c in found)
        raise UnknownNpuError(f"NPU: found {npu!r}, which {len(found)} cards are called, expected one of {choices}")
    known = ", ".join(f"{c.card.name} ({c.card.family}, {c.card.pci_bdf})" for c in state.cards)
    raise UnknownNpuError(f"NPU: found {npu!r}, expected the UUID, the PCI address or the name of one of {known}")
