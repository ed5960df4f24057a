"""How commands change a simulation: pure functions from state to state.

A change that a real machine would refuse raises `ChangeError`; an NPU that is not known raises `UnknownNpuError`.
"""

from collections.abc import Callable, Sequence

from furiosa_npu.hardware.reading import FAMILIES, Family
from furiosa_npu.simulator.card import Card
from furiosa_npu.simulator.state import PE_RANGES, CardState, Fault, Hold, State, UnknownNpuError, find, pe_suffix

_ALL_PES: dict[Family, tuple[tuple[int, int], ...]] = {"warboy": ((0, 1),), "renegade": ((0, 3), (4, 7))}
"""The widest files that together open every PE."""


class ChangeError(RuntimeError):
    """A change that the machine, as it is now, would not let happen."""


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
