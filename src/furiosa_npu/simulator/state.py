"""What a simulation is at one instant, and how commands change it: pure functions from state to state.

A change that a real machine would refuse raises `ChangeError`; an NPU that is not known raises `UnknownNpuError`.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

from furiosa_npu.hardware.reading import FAMILIES, Family
from furiosa_npu.simulator.scenario import Card

Fault = Literal["not-alive"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
"""What can go wrong with a card. not-alive: the driver says that the card does not answer."""

PE_COUNT: dict[Family, int] = {"warboy": 2, "renegade": 8}
PE_RANGES: dict[Family, tuple[tuple[int, int], ...]] = {
    "warboy": ((0, 0), (1, 1), (0, 1)),
    "renegade": (*((pe, pe) for pe in range(8)), (0, 1), (2, 3), (4, 5), (6, 7), (0, 3), (4, 7)),
}
"""The groups of PEs that the driver has a device file for, first and last, both included."""
_ALL_PES: dict[Family, tuple[tuple[int, int], ...]] = {"warboy": ((0, 1),), "renegade": ((0, 3), (4, 7))}

CYCLES_A_SECOND = 2_000_000_000
TASK_CYCLES_A_SECOND = 1_600_000_000
TENSOR_CYCLES_A_SECOND = 1_200_000_000
"""An occupied PE works: utilization 0.8, of it 0.75 computation and 0.25 I/O."""


class ChangeError(RuntimeError):
    """A change that the machine, as it is now, would not let happen."""


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
    heartbeat_seconds: int = 0
    holds: tuple[Hold, ...] = ()
    performance_mode: int = 4
    governor: str = "performance"


class State(NamedTuple):
    """A whole simulation now."""

    cards: tuple[CardState, ...]
    """in the order of the scenario: positions give hwmon numbers"""
    plain_files: bool
    """device files are plain files, for want of the right to make real ones"""
    warboy_majors: tuple[int, ...]
    renegade_majors: tuple[int, int]
    """(cards and PEs, channels)"""
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


def fail(state: State, npu: str, fault: Fault = "not-alive") -> State:
    """The card has this fault from now on."""
    return _change_present(state, npu, lambda c: c._replace(faults=tuple(sorted({*c.faults, fault}))))


def recover(state: State, npu: str) -> State:
    """The card has no fault any more."""
    return _change_present(state, npu, lambda c: c._replace(faults=()))


def remove(state: State, npu: str) -> State:
    """The card drops off the bus, in use or not. A card that is gone already stays so."""
    return _change(state, npu, lambda c: c._replace(present=False, holds=()))


def add(state: State, npu: str) -> State:
    """A card that was removed is back in its slot, started anew, its faults with it. One that is there stays so."""
    return _change(state, npu, lambda c: c if c.present else c._replace(present=True, heartbeat_seconds=0))


def add_cards(state: State, cards: Sequence[Card]) -> State:
    """New cards in further slots (`parse_scenario(..., beside=...)` has seen to it that they differ)."""
    return state._replace(cards=(*state.cards, *(CardState(card) for card in cards)))


def occupy(state: State, npu: str, pes: Sequence[str] = ()) -> State:
    """Somebody opens device files of the card: `0`, `pe0`, `0-3`; none named: the whole card, by its widest files.

    Opening is exclusive, as the driver has it: PEs that another file holds raise `ChangeError`.
    """

    def opened(card: CardState) -> CardState:
        for first, last in _ranges(card, pes) or _ALL_PES[card.card.family]:
            hold = Hold(first, last)
            if any((h.first_pe, h.last_pe) == (first, last) for h in card.holds):
                continue
            for other in card.holds:
                if hold.pes & other.pes:
                    name = card.card.name
                    raise ChangeError(f"{name}{hold.suffix}: busy, {name}{other.suffix} is in use; release it first")
            card = card._replace(holds=tuple(sorted((*card.holds, hold))))
        return card

    if find(state, npu).card.family in state.unloaded:
        raise ChangeError(f"{npu}: has no device files, its driver is unloaded; load it first")
    return _change_present(state, npu, opened)


def release(state: State, npu: str, pes: Sequence[str] = ()) -> State:
    """Whoever holds the named PEs closes them; none named: all of the card. What nobody holds stays so."""

    def closed(card: CardState) -> CardState:
        ranges = _ranges(card, pes)
        if not ranges:
            return card._replace(holds=())
        return card._replace(holds=tuple(h for h in card.holds if (h.first_pe, h.last_pe) not in ranges))

    return _change_present(state, npu, closed)


def unload_driver(state: State, families: Sequence[Family] = FAMILIES) -> State:
    """Device files and management folders go, the PCI devices stay. A driver in use is not unloaded."""
    for card in state.cards:
        if card.card.family in families and card.holds:
            raise ChangeError(f"the driver of {card.card.family} is in use: {card.card.name}{card.holds[0].suffix}")
    return state._replace(unloaded=tuple(f for f in FAMILIES if f in (*state.unloaded, *families)))


def load_driver(state: State, families: Sequence[Family] = FAMILIES) -> State:
    """Device files and management folders are back."""
    return state._replace(unloaded=tuple(f for f in state.unloaded if f not in families))


def advance(state: State, seconds: int) -> State:
    """Time goes on: heartbeats and the counters of PEs in use move, those of a card that is not alive stand still."""

    def later(card: CardState) -> CardState:
        if not card.present or "not-alive" in card.faults:
            return card
        holds = tuple(hold._replace(seconds=hold.seconds + seconds) for hold in card.holds)
        return card._replace(heartbeat_seconds=card.heartbeat_seconds + seconds, holds=holds)

    return state._replace(cards=tuple(later(card) for card in state.cards))


def _change(state: State, npu: str, change: Callable[[CardState], CardState]) -> State:
    target = find(state, npu)
    return state._replace(cards=tuple(change(card) if card is target else card for card in state.cards))


def _change_present(state: State, npu: str, change: Callable[[CardState], CardState]) -> State:
    if not find(state, npu).present:
        raise ChangeError(f"{npu}: was removed; add it first")
    return _change(state, npu, change)


def _ranges(card: CardState, pes: Sequence[str]) -> list[tuple[int, int]]:
    """The user's words for PEs as ranges that the family has a device file for."""
    ranges = PE_RANGES[card.card.family]
    names = {pe_suffix(*pair): pair for pair in ranges}
    found = []
    for word in pes:
        pair = names.get(word if word.startswith("pe") else f"pe{word}")
        if pair is None:
            raise UnknownNpuError(f"PE: found {word!r}, expected one of {', '.join(names)} ({card.card.family})")
        found.append(pair)
    return found
