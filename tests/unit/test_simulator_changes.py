"""What commands do to a simulation, as values: what a machine would let happen, and what it would not."""

import pytest

from furiosa_npu.simulator import ChangeError, ScenarioError, UnknownNpuError, changes, parse_scenario
from furiosa_npu.simulator.faults import Fault
from furiosa_npu.simulator.majors import choose_majors
from furiosa_npu.simulator.state import CardState, Hold, State, find
from furiosa_npu.simulator.state_file import StateFileError, from_json, to_json

MIXED = parse_scenario("cards: [{family: warboy}, {family: renegade}, {family: warboy}]")
WARBOY, RENEGADE, OTHER = (card.pci_bdf for card in MIXED)


def _state() -> State:
    return State(tuple(CardState(card) for card in MIXED), True, choose_majors(()))


@pytest.mark.parametrize("npu", [MIXED[2].uuid, MIXED[2].uuid.lower(), MIXED[2].pci_bdf, "npu1"])
def test_a_card_goes_by_uuid_address_or_unique_name(npu: str) -> None:
    """All three mean the same card."""
    assert find(_state(), npu).card == MIXED[2]


def test_a_name_that_two_cards_have_is_refused_with_their_uuids() -> None:
    """npu0 is a Warboy and a Renegade: the user is told what to say."""
    with pytest.raises(UnknownNpuError) as caught:
        changes.fail(_state(), "npu0")
    assert str(caught.value) == (
        f"NPU: found 'npu0', which 2 cards are called, "
        f"expected one of {MIXED[0].uuid} (warboy), {MIXED[1].uuid} (renegade)"
    )


@pytest.mark.parametrize("npu", ["npu7", "", "npu00"])
def test_an_unknown_card_is_refused_with_those_that_are_there(npu: str) -> None:
    """The error lists the cards."""
    with pytest.raises(UnknownNpuError, match=r"npu1 \(warboy, 0000:03:00.0\)"):
        changes.remove(_state(), npu)


def test_a_failed_card_stands_still_until_it_recovers() -> None:
    """Its heartbeat and its counters do not move; the other cards' do."""
    state = changes.occupy(_state(), WARBOY)
    failed = changes.advance(changes.fail(state, WARBOY), 5)
    assert [card.heartbeat_seconds for card in failed.cards] == [0, 5, 5]
    assert failed.cards[0].holds == (Hold(0, 1, 0),)
    again = changes.advance(changes.recover(failed, WARBOY), 2)
    assert [card.heartbeat_seconds for card in again.cards] == [2, 7, 7]


def test_without_pes_the_whole_card_is_occupied_by_its_widest_files() -> None:
    """A Warboy has one file for both PEs, a Renegade two for four each."""
    state = changes.occupy(changes.occupy(_state(), WARBOY), RENEGADE)
    assert [card.holds for card in state.cards] == [(Hold(0, 1),), (Hold(0, 3), Hold(4, 7)), ()]


def test_opening_is_exclusive() -> None:
    """A PE that one file holds is not given to another, as the driver's EBUSY has it."""
    state = changes.occupy(_state(), RENEGADE, ["0-1", "pe4"])
    with pytest.raises(ChangeError, match="npu0pe0-3: busy, npu0pe0-1 is in use; release it first"):
        changes.occupy(state, RENEGADE)
    assert changes.occupy(state, RENEGADE, ["2-3", "4"]).cards[1].holds == (Hold(0, 1), Hold(2, 3), Hold(4, 4))


def test_release_closes_what_is_named_or_all() -> None:
    """What nobody holds stays so."""
    state = changes.occupy(_state(), RENEGADE, ["0-1", "4"])
    assert changes.release(state, RENEGADE, ["4", "7"]).cards[1].holds == (Hold(0, 1),)
    assert changes.release(state, RENEGADE).cards[1].holds == ()


@pytest.mark.parametrize("word", ["2", "0-2", "x", "pe", "1-0"])
def test_pes_without_a_device_file_are_refused(word: str) -> None:
    """The error lists what the family has."""
    with pytest.raises(UnknownNpuError, match=r"expected one of pe0, pe1, pe0-1 \(warboy\)"):
        changes.occupy(_state(), WARBOY, [word])


def test_a_removed_card_comes_back_unused_and_counting_from_zero() -> None:
    """Who held it lost it; its fault is still its own."""
    state = changes.fail(changes.fail(changes.occupy(_state(), WARBOY), WARBOY), WARBOY, "errors")
    state = changes.recover(changes.advance(state, 3), WARBOY, "errors")
    gone = changes.remove(state, WARBOY)
    assert not gone.cards[0].present
    assert changes.remove(gone, WARBOY) == gone
    assert changes.add(gone, WARBOY).cards[0] == CardState(MIXED[0], faults=(Fault("not-alive"),))


@pytest.mark.parametrize("change", [changes.fail, changes.recover, changes.occupy, changes.release])
def test_a_removed_card_takes_no_commands(change: object) -> None:
    """Nothing is there to be changed; the user is told how to bring it back."""
    assert callable(change)
    with pytest.raises(ChangeError, match="was removed; add it first"):
        change(changes.remove(_state(), OTHER), OTHER)


def test_a_card_gets_another_number_and_stays_itself() -> None:
    """UUID, slot, heartbeat and faults are as they were; its name is another."""
    state = changes.fail(changes.advance(_state(), 5), OTHER, "missing=alive")
    now = changes.renumber(state, OTHER, 7)
    assert now.cards[2] == state.cards[2]._replace(card=MIXED[2]._replace(index=7))
    assert (now.cards[:2], find(now, "npu7").card.uuid) == (state.cards[:2], MIXED[2].uuid)
    assert changes.renumber(now, OTHER, 7) == now


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (0, ChangeError, rf"npu0 \(warboy\): is another card, {MIXED[0].uuid}"),
        (256, ScenarioError, "INDEX: found the integer 256, expected an integer from 0 to 255"),
        (-1, ScenarioError, "INDEX: found the integer -1, expected an integer from 0 to 255"),
    ],
)
def test_a_number_that_cannot_be_is_refused(index: int, error: type[Exception], message: str) -> None:
    """Two cards of a family never share one; both families may have it."""
    with pytest.raises(error, match=message):
        changes.renumber(_state(), OTHER, index)
    assert changes.renumber(_state(), RENEGADE, 1).cards[1].card.index == 1


def test_a_card_in_use_keeps_its_number() -> None:
    """The driver gives numbers when it is loaded, which it is not while somebody has it open."""
    with pytest.raises(ChangeError, match="npu0: is in use, npu0pe0-1; release it first"):
        changes.renumber(changes.occupy(_state(), WARBOY), WARBOY, 5)


def test_another_card_in_the_slot_is_new_in_all_but_its_place() -> None:
    """UUID and serial number are others, the same each time; nobody holds it, it has no fault and counts from 0."""
    state = changes.fail(changes.advance(changes.occupy(_state(), WARBOY), 5), WARBOY, "errors")
    now = changes.replace(state, WARBOY)
    new = now.cards[0].card
    assert now.cards == (CardState(MIXED[0]._replace(uuid=new.uuid, serial=new.serial)), *state.cards[1:])
    assert (new.uuid != MIXED[0].uuid, new.uuid == new.uuid.upper(), new.serial != MIXED[0].serial) == (True,) * 3
    assert changes.replace(state, WARBOY) == now
    assert changes.replace(now, WARBOY).cards[0].card.uuid not in {card.uuid for card in (*MIXED, new)}
    assert changes.replace(changes.remove(state, WARBOY), WARBOY) == now


def test_the_new_cards_uuid_may_be_said() -> None:
    """As long as it is a UUID that no card has."""
    uuid = "A76AAD68-6855-40B1-9E86-D080852D1C84"
    assert changes.replace(_state(), RENEGADE, uuid).cards[1].card.uuid == uuid
    with pytest.raises(ScenarioError, match="UUID: found the text 'npu9', expected 8-4-4-4-12 hexadecimal digits"):
        changes.replace(_state(), RENEGADE, "npu9")
    with pytest.raises(ScenarioError, match="expected another one than that of a card which is there"):
        changes.replace(_state(), RENEGADE, MIXED[2].uuid.lower())


def test_a_driver_in_use_is_not_unloaded() -> None:
    """As rmmod refuses; the other family's driver goes."""
    state = changes.occupy(_state(), WARBOY)
    with pytest.raises(ChangeError, match="the driver of warboy is in use: npu0pe0-1"):
        changes.unload_driver(state)
    assert changes.unload_driver(state, ["renegade"]).unloaded == ("renegade",)


def test_without_a_driver_nothing_can_be_opened() -> None:
    """No device files, no use of them; loading brings them back."""
    state = changes.unload_driver(_state())
    assert state.unloaded == ("warboy", "renegade")
    with pytest.raises(ChangeError, match="its driver is unloaded"):
        changes.occupy(state, WARBOY)
    assert changes.load_driver(state) == _state()


def test_a_state_comes_back_from_its_file_as_it_was() -> None:
    """Commands and a live run share nothing but this file."""
    state = changes.fail(changes.fail(_state(), OTHER, "errors"), RENEGADE, "syscall=heartbeat:EIO")
    state = changes.advance(changes.occupy(state, RENEGADE, ["0-1"]), 7)
    state = changes.unload_driver(changes.remove(state, WARBOY), ["warboy"])
    assert from_json(to_json(state, ("dev", "/elsewhere/sys")), "state.json") == (state, ("dev", "/elsewhere/sys"))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 0}', '{"format": 2, "cards": [{"card": {}}]}'])
def test_a_state_file_of_another_make_is_an_error_that_names_it(text: str) -> None:
    """Never a guess at what it may mean."""
    with pytest.raises(StateFileError, match=r"^here/state\.json: found .*: remove the folder and create anew"):
        from_json(text, "here/state.json")
