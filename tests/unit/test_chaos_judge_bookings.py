"""The judge over the kubelet's books: how long what was allocated keeps a card from being due."""

import pytest

from tests.cluster.chaos.history import Event, Pods, PodSeen
from tests.unit.chaos_histories import BOOKED, BOTH, counts, deed, over, pods


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


def test_a_booking_that_was_gone_before_the_plugin_asked_is_given_up_after_ten_seconds() -> None:
    """Like one that was never written down; one that lasted was seen, and ends with its pod."""
    for seconds, blamed in ((0.75, 0), (3, 1)):
        history: list[Event] = [*over(0, seconds, **BOOKED), Pods(seconds, ()), Pods(seconds + 6, ())]
        history[-1:-1] = over(seconds, seconds + 6, offered=BOTH | {"b/npu": ("Y",)})
        assert counts(history + over(seconds + 6, 9, offered=BOTH | {"b/npu": ("Y",)}))[2][1] == blamed
    never = [*over(0, 0.75, **BOOKED), *over(0.75, 17, offered=BOTH | {"b/npu": ("Y",)})]
    assert counts(never)[2][1] == 1


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


@pytest.mark.parametrize(("on_node", "blamed"), [("node", 0), ("other", 1), ("", 1)])
def test_a_pod_that_is_deleted_before_it_ran_may_have_been_answered(on_node: str, blamed: int) -> None:
    """A kubelet crosses it off before its container is made: no look at its books shows that a card was its own."""
    pod = PodSeen("p", "chaos-1", on_node, "Pending", "", ended=False, requests=1)
    without_x = BOTH | {"a/npu": ("Y",)}
    history: list[Event] = [*over(0, 4), Pods(4, (pod,)), *over(4, 5), Pods(5, ()), *over(5, 15, offered=without_x)]
    assert counts(history)[2][1] == blamed
    assert counts([*history, *over(15, 25, offered=without_x)])[2][1] == 1


@pytest.mark.parametrize(
    ("on_node", "seen_at", "kubelet_since", "blamed"),
    [
        ("node", 4.75, 6.0, 0),
        ("other", 4.75, 6.0, 1),
        ("", 4.75, 6.0, 1),
        ("node", 6.0, 6.0, 1),
        ("node", 4.75, -100.0, 1),
    ],
)
def test_a_pod_whose_kubelet_was_killed_may_have_been_answered(
    on_node: str, seen_at: float, kubelet_since: float, blamed: int
) -> None:
    """Before it wrote that down: the next kubelet knows of no card of the pod's, and has it given another. One that was
    stopped goes on with the answer.
    """
    pod = PodSeen("p", "chaos-1", on_node, "Pending", "", ended=False, requests=1)
    lists: dict[str, object] = {
        "kubelet_since": kubelet_since,
        "checkpoint_at": 6.1,
        "offered": BOTH | {"a/npu": ("Y",)},
    }
    history: list[Event] = [
        *over(0, 4),
        *over(4, 6, kubelet_since=None),
        *over(6, 15, **lists),
        Pods(seen_at, (pod,)),
        Pods(7, (pod._replace(phase="Running"),)),
    ]
    history = sorted(history, key=lambda event: event.at)
    assert counts(history)[2][1] == blamed
    assert counts([*history, *over(15, 25, **lists)])[2][1] == 1


@pytest.mark.parametrize(
    ("seen", "on_node", "blamed"),
    [((4.0,), "node", 0), ((4.0,), "", 0), ((4.0, 8.0), "node", 0), ((4.0,), "other", 2), ((8.0,), "", 2)],
)
def test_a_pod_that_waits_and_is_gone_when_the_api_server_is_back_may_have_been_answered(
    seen: tuple[float, ...], on_node: str, blamed: int
) -> None:
    """Where the disk was full meanwhile: its kubelet could not write the answer down, and could tell nobody so."""
    full = [deed(5, "disk-full"), deed(7, "disk-full", heals=True)]
    pod = PodSeen("p", "chaos-1", on_node, "Pending", "", ended=False, requests=1)
    lists = {"offered": {}, "checkpoint_at": 7.1}
    history: list[Event] = [
        *over(0, 5),
        *full,
        *over(7.25, 20, **lists),
        *(Pods(at, (pod,)) for at in seen),
        Pods(9, ()),
    ]
    history = sorted(history, key=lambda event: event.at)
    assert counts([event for event in history if event.at < 18])[2] == (2 + blamed, blamed)
