"""The judge over lists: which idle cards are to be offered, and by when after they were held, bad or not seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.chaos.history import Booking, Event
from tests.unit.chaos_histories import BOTH, BOUNDS, GOOD, NAMES, counts, deed, held_by, over, sample


@pytest.mark.parametrize("name", NAMES)
def test_an_idle_card_that_is_not_offered_under_a_name_is_found(name: str) -> None:
    """Once in a wait, whichever name it is."""
    history = over(0, 10, offered=BOTH | {name: ("Y",)})
    assert counts(history)[2] == (2, 1)


def test_a_card_that_is_taken_back_without_reason_is_found() -> None:
    """It was offered in time, and later it is not, in two samples at least."""
    assert counts(over(0, 5) + over(5, 6, offered={}) + over(6, 9))[2] == (2, 2)
    assert counts(over(0, 5) + over(5, 5.25, offered={}) + over(5.25, 9))[2] == (2, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"kubelet_since": None},
        {"agent_since": None},
        {"cards": {"X": "not-alive", "Y": "occupied"}},
        {"holders": held_by("p") + held_by("p", card="Y")},
        {"booked": (Booking("p", "c", "a/npu", ("X", "Y")),)},
    ],
)
def test_what_cannot_be_offered_is_not_waited_for(changes: dict[str, object]) -> None:
    """No kubelet, no agent, a bad card, a card that a pod holds."""
    assert counts(over(0, 10, offered={}, **changes))[2] == (0, 0)


@given(st.floats(0, 8))
def test_a_card_is_due_two_seconds_and_a_second_of_slack_after_a_pod_let_go(offered_after: float) -> None:
    """Without a flap there is no probation."""
    history = over(0, 4, offered={}, holders=held_by("p") + held_by("p", card="Y"))
    history += [sample(event.at, offered=BOTH if event.at >= 4 + offered_after else {}) for event in over(4, 14)]
    late = offered_after > 3.25  # with the sample that has to confirm it
    assert counts(history)[2] == (2, 2 if late else 0)


def test_after_its_sockets_were_removed_an_agent_registers_anew_in_time() -> None:
    """A list that reached the kubelet before says nothing: its checkpoint has to be written since."""
    before = over(0, 5)
    assert counts([*before, deed(5, "sockets-removed"), *over(5, 12)])[2] == (4, 2)
    assert counts([*before, deed(5, "sockets-removed"), *over(5, 12, checkpoint_at=5.3)])[2] == (4, 0)


@pytest.mark.parametrize("who", ["kubelet_since", "agent_since"])
def test_a_kubelet_or_agent_that_came_back_has_a_list_in_time(who: str) -> None:
    """Its own one, not that of the one before."""
    assert counts(over(0, 5) + over(5, 12, **{who: 5.0}))[2] == (4, 2)
    assert counts(over(0, 5) + over(5, 12, **{who: 5.0}, checkpoint_at=5.5))[2] == (4, 0)


def test_a_kubelet_that_cannot_write_is_not_judged_by_what_it_wrote() -> None:
    """While the disk is full, and afterwards until it writes again."""
    full = [*over(0, 5), deed(5, "disk-full"), *over(5, 12, offered={}), deed(12, "disk-full", heals=True)]
    assert counts([*full, *over(12, 20, offered={})])[2] == (2, 0)
    assert counts([*full, *over(12, 20, offered={}, checkpoint_at=12.5)])[2] == (4, 2)


@pytest.mark.parametrize(("flaps", "probation"), [(1, 1), (2, 2), (3, 4), (4, 4)])
def test_a_card_that_flaps_proves_itself_longer_each_time(flaps: int, probation: int) -> None:
    """1 s, 2 s, then the longest."""
    history: list[Event] = []
    for flap in range(flaps):
        history += over(2 * flap, 2 * flap + 1) + over(2 * flap + 1, 2 * flap + 2, cards=GOOD | {"X": "gone"})
    good_at = 2 * flaps
    due = good_at + probation + BOUNDS.offered_seconds + BOUNDS.slack_seconds
    without_x = dict.fromkeys(NAMES, ("Y",))
    in_time = over(good_at, due, offered=without_x) + over(due, due + 5)
    too_late = over(good_at, due + 0.5, offered=without_x) + over(due + 0.5, due + 5)
    assert counts(history + in_time)[2][1] == 0
    assert counts(history + too_late)[2][1] == 1


def test_a_stranger_who_leaves_is_no_flap() -> None:
    """However often one comes, the card is good: no probation."""
    history: list[Event] = []
    for visit in range(4):
        history += over(2 * visit, 2 * visit + 1) + over(2 * visit + 1, 2 * visit + 2, cards=GOOD | {"X": "occupied"})
    without_x = dict.fromkeys(NAMES, ("Y",))
    assert counts(history + over(8, 10.75, offered=without_x) + over(10.75, 15))[2][1] == 0
    assert counts(history + over(8, 11.5, offered=without_x) + over(11.5, 15))[2][1] == 1


def test_a_fault_that_cannot_be_known_yet_or_is_not_known_to_be_over_blames_nobody() -> None:
    """A heartbeat stands still for 30 s before it is a sign; errors are over when a while passes without."""
    still = GOOD | {"X": "heartbeat-stopped"}
    for begun, bad in ((20.0, 0), (34.0, 1)):
        history = over(0, begun, cards=still) + over(begun, 40, cards=still, holders=held_by("p", started_at=begun))
        assert counts(history)[1] == (1, bad)
    assert counts(over(0, 20, cards=still, offered=dict.fromkeys(NAMES, ("Y",))))[2] == (1, 0)
    errors = over(0, 5, cards=GOOD | {"X": "errors"})
    due = 5 + 1.5 + 1 + BOUNDS.offered_seconds + BOUNDS.slack_seconds
    without_x = dict.fromkeys(NAMES, ("Y",))
    assert counts(errors + over(5, due, offered=without_x) + over(due, 15))[2][1] == 0
    assert counts(errors + over(5, due + 0.5, offered=without_x) + over(due + 0.5, 15))[2][1] == 1


@pytest.mark.parametrize(("with_agent", "blamed"), [(0.0, 0), (1.0, 0), (4.0, 1)])
def test_a_probation_begins_when_an_agent_can_see_the_card_good(with_agent: float, blamed: int) -> None:
    """Healed while no agent was there, or hardly: the next one begins it; an agent that had the time hands it on."""
    bad, without_x = GOOD | {"X": "gone"}, dict.fromkeys(NAMES, ("Y",))
    history: list[Event] = []
    for flap in range(3):  # a probation of 4 s
        history += over(2 * flap, 2 * flap + 1, cards=bad, offered=without_x) + over(2 * flap + 1, 2 * flap + 2)
    history = history[:-4] + over(5, 5 + with_agent, offered=without_x)
    back = 12 + with_agent
    history += over(5 + with_agent, back, agent_since=None, offered={})
    lists = {"agent_since": back, "checkpoint_at": back + 0.1}
    history += over(back, back + 6, offered=without_x, **lists) + over(back + 6, back + 12, **lists)
    assert counts(history)[2][1] == blamed
