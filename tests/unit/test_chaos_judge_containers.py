"""The judge over cards in containers: in those of two pods, or bad when one started."""

import pytest

from tests.cluster.chaos.history import Booking, Event
from tests.cluster.chaos.judge import judge
from tests.unit.chaos_histories import BOUNDS, GOOD, NAMES, counts, held_by, over, sample


def test_a_card_in_containers_of_two_pods_is_found_once() -> None:
    """However many samples show it; each sample that shows the card in use is a check."""
    history = over(0, 2, holders=held_by("p")) + over(2, 4, holders=held_by("p", "q"))
    assert counts(history)[0] == (16, 1)


@pytest.mark.parametrize(
    ("first", "second", "still_booked", "blamed"),
    [
        *(("a/npu", "a/npu", False, 0), ("a/npu", "a/npu", True, 1)),
        *(("a/npu", "b/npu", False, 0), ("a/npu", "b/npu", True, 1)),
    ],
)
def test_a_card_that_the_kubelet_gave_away_is_told_apart(
    first: str, second: str, still_booked: bool, blamed: int
) -> None:
    """It had crossed the first pod off its books before it gave its card to another: that alone is not the plugin's."""
    before, after = Booking("p", "c", first, ("X",)), Booking("q", "c", second, ("X",))
    history = over(0, 2, booked=(before,))
    history += over(2, 4, booked=(before, after) if still_booked else (after,), holders=held_by("p", "q"))
    given_away, _ = (tally for tally in judge(history, NAMES, BOUNDS) if not tally.blames)
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


@pytest.mark.parametrize(("read_at", "blamed"), [(4.0, 1), (6.9, 0)])
def test_a_card_became_bad_no_later_than_it_was_read_to_be(read_at: float, blamed: int) -> None:
    """The sample of 4 took until then; the container's first process is of 8."""
    bad = GOOD | {"X": "gone"}
    history = [*over(0, 4), sample(4.0, cards=bad, read_at=read_at)]
    history += over(7, 8, cards=bad) + over(8, 9, cards=bad, holders=held_by("p", started_at=8.0))
    assert counts(history)[1] == (1, blamed)


def test_a_card_that_is_bad_for_another_reason_in_between_was_bad_all_the_time() -> None:
    """Faults that overlap."""
    history = (
        over(0, 3) + over(3, 5, cards=GOOD | {"X": "occupied"}) + over(5, 5.5, cards=GOOD | {"X": "occupied,gone"})
    )
    history += over(5.5, 6, cards=GOOD | {"X": "gone"})
    history += over(6, 7, cards=GOOD | {"X": "gone"}, holders=held_by("p", started_at=6.0))
    assert counts(history)[1] == (1, 1)


@pytest.mark.parametrize(("agent_since", "blamed"), [(-50.0, 1), (4.0, 0), (0.5, 1)])
def test_an_agent_that_was_started_meanwhile_watches_a_heartbeat_anew(agent_since: float, blamed: int) -> None:
    """Thirty seconds of its own. What it had seen once, the next one knows."""
    stopped: dict[str, object] = {"cards": {"X": "heartbeat-stopped", "Y": ""}}
    before = over(0, 0.5, **stopped) + over(0.5, 4, agent_since=None, **stopped) if agent_since > 0 else []
    history = before + over(max(agent_since, 0), 34.5, agent_since=agent_since, **stopped)
    started = sample(34.5, agent_since=agent_since, holders=held_by("p", started_at=34.5), **stopped)
    assert counts([*history, started])[1] == (1, blamed)


def test_a_card_that_outlived_its_start_well_may_break_in_use() -> None:
    """A running container's card breaks: it was handed out good."""
    history = over(0, 5, holders=held_by("p")) + over(5, 9, holders=held_by("p"), cards=GOOD | {"X": "not-alive"})
    assert counts(history)[1] == (1, 0)


@pytest.mark.parametrize(
    ("kubelet_since", "agent_since", "blamed"),
    [(3.0, 2.0, 1), (7.5, -50.0, 0), (3.0, 7.5, 0), (3.0, None, 0)],
)
def test_a_start_before_kubelet_and_plugin_had_found_each_other_is_told_apart(
    kubelet_since: float, agent_since: float | None, blamed: int
) -> None:
    """The kubelet was killed at 2, the card is bad since 4, the container's first process is of 8."""
    bad = GOOD | {"X": "gone"}
    history = over(0, 2) + over(2, 4, kubelet_since=None)
    for event in over(4, 9, cards=bad):
        there = {
            "kubelet_since": kubelet_since if event.at >= kubelet_since else None,
            "agent_since": agent_since if agent_since is not None and event.at >= agent_since else None,
        }
        history.append(
            sample(event.at, cards=bad, holders=held_by("p", started_at=8.0) if event.at >= 8 else (), **there)
        )
    _, not_asked = (tally for tally in judge(history, NAMES, BOUNDS) if not tally.blames)
    assert (counts(history)[1][1], len(not_asked.violations)) == (blamed, 1 - blamed)


def test_a_plugin_that_is_killed_alone_is_blamed() -> None:
    """A kubelet that lives on knows that its plugin is away, and starts nothing without its answer."""
    bad = GOOD | {"X": "gone"}
    history = over(0, 4) + over(4, 8, cards=bad, agent_since=None)
    history += over(8, 9, cards=bad, agent_since=7.9, holders=held_by("p", started_at=8.0))
    assert counts(history)[1] == (1, 1)
