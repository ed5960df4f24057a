"""How commands change a simulation: pure functions from state to state.

A change that a real machine would refuse raises `ChangeError`; an NPU that is not known raises `UnknownNpuError`, a
fault that there is none of `FaultError`, another value that cannot be `ScenarioError`.
"""

from collections.abc import Callable, Sequence

from furiosa_npu.hardware.reading import FAMILIES, Family
from furiosa_npu.simulator.card import MAX_INDEX, Card, ScenarioError, say
from furiosa_npu.simulator.card_defaults import successor
from furiosa_npu.simulator.families import model_of
from furiosa_npu.simulator.fault_values import read_fault
from furiosa_npu.simulator.faults import Fault, kind_of
from furiosa_npu.simulator.state import CardState, Hold, State, UnknownNpuError, find
from furiosa_npu.simulator.tree import of_the_driver, render


class ChangeError(RuntimeError):
    """A change that the machine, as it is now, would not let happen."""


def fail(state: State, npu: str, fault: str = "not-alive") -> State:
    """The card has this fault (`NAME` or `NAME=VALUE`) from now on; `heartbeat-reset` happens once and is over."""

    def failed(card: CardState) -> CardState:
        new = read_fault(fault, card, of_the_driver(state, card))
        if new.name == "heartbeat-reset":
            return card._replace(heartbeat_seconds=0)
        if new.name == "throttling":
            reason = model_of(card.card).no_throttling(card.card)
            if reason is not None:
                raise ChangeError(f"{card.card.name}: {reason}")
        others = [each for each in card.faults if each.subject != new.subject]
        errors = card.errors + 1 if new.name == "errors" else card.errors
        return card._replace(faults=tuple(sorted([*others, new])), errors=errors)

    return _change_present(state, npu, failed)


def recover(state: State, npu: str, fault: str | None = None) -> State:
    """The card has no fault any more, or none of this `NAME`, or not this one `NAME=VALUE`. One it has not stays so."""

    def recovered(card: CardState) -> CardState:
        return card._replace(faults=tuple(each for each in card.faults if each not in over(card)))

    def over(card: CardState) -> Sequence[Fault]:
        if fault is None:
            return card.faults
        if "=" in fault:
            return [read_fault(fault, card, of_the_driver(state, card))]
        name = kind_of(fault, to_end=True).name
        return [each for each in card.faults if each.name == name]

    return _change_present(state, npu, recovered)


def remove(state: State, npu: str) -> State:
    """The card drops off the bus, in use or not. A card that is gone already stays so."""
    return _change(state, npu, lambda c: c._replace(present=False, holds=()))


def add(state: State, npu: str) -> State:
    """A card that was removed is back in its slot, started anew, its faults with it. One that is there stays so."""
    return _change(state, npu, lambda c: c if c.present else _started_anew(c))


def add_cards(state: State, cards: Sequence[Card]) -> State:
    """New cards in further slots (`parse_scenario(..., beside=...)` has seen to it that they differ)."""
    return state._replace(cards=(*state.cards, *(CardState(card) for card in cards)))


def _started_anew(card: CardState) -> CardState:
    return card._replace(present=True, heartbeat_seconds=0, errors=0, doorbells=0)


def renumber(state: State, npu: str, index: int) -> State:
    """The driver gives the card another number, as after a boot that found cards in another order."""
    if type(index) is not int or not 0 <= index <= MAX_INDEX:
        raise ScenarioError("INDEX", say(index), f"an integer from 0 to {MAX_INDEX}")
    target = find(state, npu).card
    for other in state.cards:
        if other.card != target and (other.card.family, other.card.index) == (target.family, index):
            raise ChangeError(f"npu{index} ({target.family}): is another card, {other.card.uuid or other.card.pci_bdf}")

    def renumbered(card: CardState) -> CardState:
        if card.holds:
            raise ChangeError(f"{card.card.name}: is in use, {card.card.name}{card.holds[0].suffix}; release it first")
        return card._replace(card=card.card._replace(index=index))

    return _change_present(state, npu, renumbered)


def replace(state: State, npu: str, uuid: str | None = None) -> State:
    """Another card of the same kind in the same slot, with the same number: unused, without a fault, counting from 0.

    Its UUID and serial number are new, and the same each time unless `uuid` is said.
    """
    old = find(state, npu).card
    new = successor(old, uuid, [card.card for card in state.cards])
    return _change(state, npu, lambda _: CardState(new))


def occupy(state: State, npu: str, pes: Sequence[str] = ()) -> State:
    """Somebody opens device files of the card: `0`, `pe0`, `0-3`; none named: the whole card, by its widest files.

    Opening is exclusive, as the driver has it: PEs that another file holds raise `ChangeError`.
    """

    def opened(card: CardState) -> CardState:
        model = model_of(card.card)
        for first, last in _ranges(card, pes) or model.widest:
            hold = Hold(first, last)
            if any((h.first_pe, h.last_pe) == (first, last) for h in card.holds):
                continue
            for other in card.holds:
                if hold.pes & other.pes:
                    name = card.card.name
                    raise ChangeError(f"{name}{hold.suffix}: busy, {name}{other.suffix} is in use; release it first")
            if model.device_file(card.card, hold.suffix) not in there:
                raise ChangeError(f"{card.card.name}{hold.suffix}: has no device file, for the card has a fault")
            card = card._replace(holds=tuple(sorted((*card.holds, hold))))
        return card

    if find(state, npu).card.family in state.unloaded:
        raise ChangeError(f"{npu}: has no device files, its driver is unloaded; load it first")
    there = render(state)
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
        if not card.present:
            return card
        if card.has("errors"):
            card = card._replace(errors=card.errors + seconds)
        if card.has("not-alive"):
            return card
        return card._replace(
            heartbeat_seconds=card.heartbeat_seconds + (0 if card.has("heartbeat-stopped") else seconds),
            doorbells=card.doorbells + seconds * sum(len(hold.pes) for hold in card.holds),
            holds=tuple(hold._replace(seconds=hold.seconds + seconds) for hold in card.holds),
        )

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
    model = model_of(card.card)
    names = dict(zip(model.pe_suffixes, model.pe_ranges, strict=True))
    found = []
    for word in pes:
        pair = names.get(word if word.startswith("pe") else f"pe{word}")
        if pair is None:
            raise UnknownNpuError(f"PE: found {word!r}, expected one of {', '.join(names)} ({card.card.family})")
        found.append(pair)
    return found
