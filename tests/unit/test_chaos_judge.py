"""The promises judged over a history: what keeps them is not blamed, and each way to break one is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.chaos.history import Booking, Deed, Event, Holder, Pods, PodSeen, Sample, from_lines, to_line
from tests.cluster.chaos.judge import judge
from tests.cluster.chaos.tally import Bounds

NAMES = ("a/npu", "b/npu")
BOUNDS = Bounds()
BOTH: dict[str, tuple[str, ...]] = dict.fromkeys(NAMES, ("X", "Y"))
GOOD = {"X": "", "Y": ""}


def sample(at: float, **changes: object) -> Sample:
    """All well: kubelet and agent serve since long, both cards good, idle and offered."""
    well = Sample(at, "node", -100.0, -50.0, -10.0, BOTH, (), (), GOOD)
    return well._replace(**changes)  # type: ignore[arg-type]


def over(begin: float, end: float, **changes: object) -> list[Event]:
    """Four samples a second."""
    return [sample(begin + quarter / 4, **changes) for quarter in range(int((end - begin) * 4))]


def counts(history: list[Event], bounds: Bounds = BOUNDS) -> list[tuple[int, int]]:
    """(checks, violations) of: not twice, not bad, offered."""
    tallies = judge(history, NAMES, bounds)
    return [(tally.checks, len(tally.violations)) for tally in tallies if tally.blames]


def held_by(*pods: str, started_at: float = 0.0, card: str = "X") -> tuple[Holder, ...]:
    return tuple(Holder(pod, f"container of {pod} {started_at}", started_at, (card,)) for pod in pods)


def test_all_well_is_all_well() -> None:
    """Two cards waited for, both offered."""
    assert counts(over(0, 10)) == [(0, 0), (0, 0), (2, 0)]


def test_a_card_in_containers_of_two_pods_is_found_once() -> None:
    """However many samples show it; each sample that shows the card in use is a check."""
    history = over(0, 2, holders=held_by("p")) + over(2, 4, holders=held_by("p", "q"))
    assert counts(history)[0] == (16, 1)


@pytest.mark.parametrize(
    ("first", "second", "still_booked", "blamed"),
    [("a/npu", "a/npu", False, 0), ("a/npu", "a/npu", True, 1), ("a/npu", "b/npu", False, 1)],
)
def test_a_card_that_the_kubelet_gave_away_is_told_apart(
    first: str, second: str, still_booked: bool, blamed: int
) -> None:
    """It had crossed the first pod off its books, and asked under the same name: that alone is not the plugin's."""
    before, after = Booking("p", "c", first, ("X",)), Booking("q", "c", second, ("X",))
    history = over(0, 2, booked=(before,))
    history += over(2, 4, booked=(before, after) if still_booked else (after,), holders=held_by("p", "q"))
    (given_away,) = (tally for tally in judge(history, NAMES, BOUNDS) if not tally.blames)
    assert (counts(history)[0][1], len(given_away.violations)) == (blamed, 1 - blamed)


def test_two_containers_of_one_pod_may_have_the_card() -> None:
    """The init container and the app container that it is handed on to."""
    assert counts(over(0, 2, holders=held_by("p") + held_by("p", started_at=1.0)))[0] == (8, 0)


@pytest.mark.parametrize("what", ["not-alive", "occupied", "gone", "driver-unloaded", "not-alive,occupied"])
def test_a_container_started_with_a_card_that_was_bad_for_long_is_found(what: str) -> None:
    """The record said so since 4, the container's first process is of 8."""
    bad = GOOD | {"X": what}
    history = over(0, 4) + over(4, 8, cards=bad) + over(8, 9, cards=bad, holders=held_by("p", started_at=8.0))
    assert counts(history)[1] == (1, 1)


@pytest.mark.parametrize(("bad_from", "good_from"), [(7.0, 99.0), (2.0, 5.0), (8.25, 99.0)])
def test_a_last_look_may_have_been_before_the_fault_or_after_it(bad_from: float, good_from: float) -> None:
    """Bad since less than the allowance, or good again, or bad only after the start: nobody's fault."""
    history: list[Event] = []
    for event in over(0, 10):
        bad = bad_from <= event.at < good_from
        held = held_by("p", started_at=8.0) if event.at >= 8 else ()
        history.append(sample(event.at, cards=GOOD | {"X": "gone" if bad else ""}, holders=held))
    assert counts(history)[1] == (1, 0)


def test_a_card_that_is_bad_for_another_reason_in_between_was_bad_all_the_time() -> None:
    """Faults that overlap."""
    history = (
        over(0, 3) + over(3, 5, cards=GOOD | {"X": "occupied"}) + over(5, 5.5, cards=GOOD | {"X": "occupied,gone"})
    )
    history += over(5.5, 6, cards=GOOD | {"X": "gone"})
    history += over(6, 7, cards=GOOD | {"X": "gone"}, holders=held_by("p", started_at=6.0))
    assert counts(history)[1] == (1, 1)


def test_a_card_that_outlived_its_start_well_may_break_in_use() -> None:
    """A running container's card breaks: it was handed out good."""
    history = over(0, 5, holders=held_by("p")) + over(5, 9, holders=held_by("p"), cards=GOOD | {"X": "not-alive"})
    assert counts(history)[1] == (1, 0)


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


def deed(at: float, kind: str, *, heals: bool = False) -> Deed:
    return Deed(at, at, 0, kind, "node", "", heals)


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


def test_what_nobody_looked_at_is_not_judged() -> None:
    """After a gap the wait begins anew."""
    assert counts(over(0, 2, offered={}) + over(20, 22, offered={}))[2] == (0, 0)


def pods(at: float, *, phase: str = "Running", requests: int = 1, reason: str = "") -> Pods:
    ended = phase in ("Failed", "Succeeded")
    return Pods(at, (PodSeen("p", "chaos-0", "node", phase, reason, ended, requests),))


BOOKED = {"booked": (Booking("p", "c", "a/npu", ("X",)),), "offered": {"a/npu": ("X", "Y"), "b/npu": ("Y",)}}


def test_a_booking_holds_until_its_pod_has_ended() -> None:
    """For the API server, which says so last; the plugin has to have it taken out of the books then."""
    alive: list[Event] = [pods(1), *over(1, 9, **BOOKED)]
    assert counts(alive)[2] == (1, 0)
    assert counts([*alive, pods(9, phase="Succeeded"), *over(9, 15, **BOOKED)])[2] == (2, 1)
    assert counts([*alive, Pods(9, ()), *over(9, 15, **BOOKED)])[2] == (2, 1)


def test_a_pod_that_the_api_server_never_saw_has_ended_some_seconds_later() -> None:
    """Made and gone while it was away."""
    assert counts([*over(0, 8, **BOOKED), Pods(8, ()), *over(8, 15, **BOOKED)])[2] == (2, 1)
    assert counts([*over(0, 4, **BOOKED), Pods(4, ()), *over(4, 15, **BOOKED)])[2] == (1, 0)


def test_an_allocate_that_the_kubelet_never_wrote_down_is_given_up_after_ten_seconds() -> None:
    """Of a pod that asked twice and failed, or whose kubelet could not write: one answer may have been for nothing."""
    before: list[Event] = [pods(1, requests=2), *over(1, 5)]
    failed: list[Event] = [*before, pods(5, phase="Failed", requests=2)]
    assert counts([*failed, *over(5, 15, offered={})])[2] == (2, 0)
    assert counts([*failed, *over(5, 25, offered={})])[2] == (4, 2)
    assert counts([*before, pods(5, phase="Failed"), *over(5, 15, offered={})])[2] == (2, 2)
    unwritten = pods(5, phase="Failed", reason="Pod Allocate failed due to failed to write checkpoint file")
    assert counts([*before, unwritten, *over(5, 15, offered={})])[2] == (2, 0)


def test_a_card_that_is_missing_is_judged_when_the_pods_were_looked_at() -> None:
    """That is done once a second: what took the card may be seen only then. Nobody looks after the last sample."""
    missing: list[Event] = [pods(1, requests=2), *over(1, 5), *over(5, 5.75, offered={})]
    assert counts(missing)[2] == (2, 2)
    assert counts([*missing, pods(5.75, requests=2)])[2] == (2, 2)
    assert counts([*missing, pods(5.75, phase="Failed", requests=2), *over(5.75, 8, offered={})])[2] == (2, 0)


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


def test_a_booking_that_was_gone_before_the_plugin_asked_is_given_up_after_ten_seconds() -> None:
    """Like one that was never written down; one that lasted was seen, and ends with its pod."""
    for seconds, blamed in ((0.75, 0), (3, 1)):
        history: list[Event] = [*over(0, seconds, **BOOKED), Pods(seconds, ()), Pods(seconds + 6, ())]
        history[-1:-1] = over(seconds, seconds + 6, offered=BOTH | {"b/npu": ("Y",)})
        assert counts(history + over(seconds + 6, 9, offered=BOTH | {"b/npu": ("Y",)}))[2][1] == blamed
    never = [*over(0, 0.75, **BOOKED), *over(0.75, 17, offered=BOTH | {"b/npu": ("Y",)})]
    assert counts(never)[2][1] == 1


TEXT = st.text(max_size=5)
CARDS = st.lists(TEXT, max_size=3).map(tuple)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
SAMPLES = st.builds(
    Sample,
    TIMES,
    TEXT,
    st.none() | TIMES,
    st.none() | TIMES,
    st.none() | TIMES,
    st.dictionaries(TEXT, CARDS, max_size=2),
    st.lists(st.builds(Booking, TEXT, TEXT, TEXT, CARDS), max_size=2).map(tuple),
    st.lists(st.builds(Holder, TEXT, TEXT, TIMES, CARDS), max_size=2).map(tuple),
    st.dictionaries(TEXT, TEXT, max_size=2),
)
SEEN = st.builds(PodSeen, TEXT, TEXT, TEXT, TEXT, TEXT, st.booleans(), st.integers(0, 9))
EVENTS = st.one_of(
    SAMPLES,
    st.builds(Pods, TIMES, st.lists(SEEN, max_size=3).map(tuple)),
    st.builds(Deed, TIMES, TIMES, st.integers(0, 9), TEXT, TEXT, TEXT, st.booleans(), TEXT),
)


@given(st.lists(EVENTS, max_size=5))
def test_a_history_is_the_same_from_its_file(history: list[Event]) -> None:
    """A line an event, whatever names hold."""
    lines = [to_line(event) for event in history]
    assert all("\n" not in line for line in lines)
    assert from_lines(lines) == history


NPUS = st.sampled_from(["", "gone", "not-alive", "occupied"])


@given(st.lists(st.tuples(NPUS, NPUS, st.booleans(), st.booleans(), st.booleans()), max_size=80))
def test_a_plugin_that_offers_just_what_is_good_is_never_blamed(looks: list[tuple[str, str, bool, bool, bool]]) -> None:
    """Whatever befalls cards, kubelet and agent; held cards are offered or not, nobody minds."""
    history: list[Event] = []
    for number, (x, y, kubelet, agent, held) in enumerate(looks):
        cards = {"X": x, "Y": y}
        good = tuple(name for name, what in cards.items() if not what and not (held and name == "X"))
        history.append(
            sample(
                number / 4,
                kubelet_since=-100.0 if kubelet else None,
                agent_since=-50.0 if agent else None,
                cards=cards,
                offered=dict.fromkeys(NAMES, good),
                holders=held_by("p", started_at=-200.0) if held else (),
            )
        )
    assert [violations for _, violations in counts(history)] == [0, 0, 0]
