"""The promises on the DRA plane, judged over a history: what keeps them is not blamed, and each way to break one is."""

import pytest

from tests.cluster.chaos.dra_judge import judge_claims
from tests.cluster.chaos.dra_offers import DELETED_LATE_SECONDS, DELETED_SECONDS, RETRY_SECONDS
from tests.cluster.chaos.history import Event, Holder, Pods, PodSeen, Sample
from tests.cluster.chaos.tally import Bounds

GOOD = {"X": "", "Y": ""}
ALL: dict[str, tuple[str, ...]] = dict.fromkeys(("card", "pe0", "pe1"), ("X", "Y"))
WITHOUT_X: dict[str, tuple[str, ...]] = dict.fromkeys(("card", "pe0", "pe1"), ("Y",))
PREPARED = {"X/pe0": 0.0, "X/pe1": 0.0}
BOUNDS = Bounds()


def sample(at: float, **changes: object) -> Sample:
    """All well: kubelet and driver serve since long, both cards good, idle and in the slices."""
    well = Sample(at, "node", -100.0, -50.0, None, ALL, (), (), GOOD)
    return well._replace(**changes)  # type: ignore[arg-type]


def over(begin: float, end: float, **changes: object) -> list[Event]:
    """Four samples a second."""
    return [sample(begin + quarter / 4, **changes) for quarter in range(int((end - begin) * 4))]


def counts(history: list[Event]) -> list[tuple[int, int]]:
    """(checks, violations) of: not twice, not bad, not lost, offered."""
    return [(tally.checks, len(tally.violations)) for tally in judge_claims(history, BOUNDS)]


def held(pod: str, *pes: str, started_at: float = 1.0) -> Holder:
    return Holder(pod, f"container of {pod} {started_at}", started_at, pes)


def pods(at: float, **claims: str) -> Pods:
    """Pods and their claims."""
    return Pods(
        at, tuple(PodSeen(pod, pod, "node", "Running", "", False, 0, (claim,)) for pod, claim in claims.items())
    )


def test_all_well_is_all_well() -> None:
    """Two cards waited for, both there with their parts."""
    assert counts(over(0, 10)) == [(0, 0), (0, 0), (0, 0), (2, 0)]


def test_two_parts_of_a_card_go_to_two_claims() -> None:
    """Each check is of a PE in a sample."""
    holders = (held("p", "X/pe0"), held("q", "X/pe1"))
    assert counts(over(0, 2, holders=holders, prepared=PREPARED))[0] == (16, 0)


@pytest.mark.parametrize("other", [("X/pe0",), ("X/pe0", "X/pe1")])
def test_a_pe_in_containers_of_two_claims_is_found(other: tuple[str, ...]) -> None:
    """Be it as a part or with the whole card."""
    history = [pods(0, p="one", q="other"), *over(0, 2, holders=(held("p", "X/pe0"), held("q", *other)))]
    assert counts(history)[0][1] == 1


def test_pods_that_share_a_claim_have_its_pes_together() -> None:
    """As the API server names it, be that later; a pod of which it names no claim shares none."""
    holders = (held("p", "X/pe0"), held("q", "X/pe0"))
    assert counts([*over(0, 2, holders=holders), pods(3, p="shared", q="shared")])[0] == (8, 0)
    assert counts([*over(0, 2, holders=holders), pods(3, p="shared")])[0] == (8, 1)


@pytest.mark.parametrize(("prepared_at", "blamed"), [(3.0, 0), (4.0, 0), (5.1, 0), (5.3, 1), (6.0, 1)])
def test_a_claim_that_was_prepared_with_a_bad_card_is_found(prepared_at: float, blamed: int) -> None:
    """Bad since 4: it is looked at when it is prepared, however much later a container is started."""
    bad = GOOD | {"X": "not-alive"}
    history = over(0, 4) + over(4, 9, cards=bad)
    history += over(9, 10, cards=bad, holders=(held("p", "X/pe0", started_at=9.0),), prepared={"X/pe0": prepared_at})
    assert counts(history)[1] == (1, blamed)


def test_what_a_living_container_has_is_prepared() -> None:
    """A claim that was lost is found once, however long it is."""
    holders = (held("p", "X/pe0", "X/pe1"),)
    history = over(0, 2, holders=holders, prepared=PREPARED) + over(2, 4, holders=holders, prepared={"X/pe0": 0.0})
    assert counts(history)[2] == (16, 1)


@pytest.mark.parametrize("part", ["card", "pe0", "pe1"])
def test_an_idle_card_that_is_not_offered_with_all_its_parts_is_found(part: str) -> None:
    """Whichever is missing, or tainted."""
    assert counts(over(0, 10, offered=ALL | {part: ("Y",)}))[3] == (2, 1)


def test_a_card_of_which_a_part_is_held_is_not_waited_for() -> None:
    """Its claim decides what becomes of the rest."""
    assert counts(over(0, 10, offered=WITHOUT_X, holders=(held("p", "X/pe0"),)))[3] == (1, 0)


def late(begin: float, allowed: float, **at_begin: object) -> list[int]:
    """Violations where a card comes into the slices within the time that is allowed from `begin` on, and later.

    What is allowed for any wait (2 s and 1 s) comes on top.
    """
    due = begin + allowed + BOUNDS.offered_seconds + BOUNDS.slack_seconds
    found = []
    for comes in (due, due + 0.75):
        history = over(0, 2) + over(2, begin, **at_begin) + over(begin, comes, offered=WITHOUT_X)
        found.append(counts(history + over(comes, comes + 5))[3][1])
    return found


def test_a_stranger_who_leaves_a_card_leaves_it_offered_in_time() -> None:
    """Without a probation."""
    assert late(4, 0, cards=GOOD | {"X": "occupied"}, offered=WITHOUT_X) == [0, 1]


def test_a_card_is_due_after_the_api_server_was_away_as_long_again_and_three_seconds() -> None:
    """The driver waits longer each time between two tries."""
    assert late(6, 4 + RETRY_SECONDS, offered={}) == [0, 1]


def test_a_glance_without_an_answer_begins_the_wait_anew() -> None:
    """Not more: the API server was busy."""
    assert late(2.5, 0, offered={}) == [0, 1]


def test_a_kubelet_that_is_away_is_not_waited_for() -> None:
    """Stopped for a while: the slices are nobody's; it goes on: nothing was deleted."""
    assert late(6, 0, kubelet_since=None, offered=WITHOUT_X) == [0, 1]


@pytest.mark.parametrize(("away_until", "allowed"), [(2.0, DELETED_SECONDS), (4.0, DELETED_LATE_SECONDS)])
def test_a_kubelet_that_starts_deletes_the_slices(away_until: float, allowed: float) -> None:
    """At once, or late, where the API server was away meanwhile."""
    due = max(2.0, away_until) + allowed + BOUNDS.offered_seconds + BOUNDS.slack_seconds
    for comes, blamed in ((due, 0), (due + 0.75, 1)):
        history = over(0, 2) + over(2, away_until, kubelet_since=2.0, offered={})
        history += over(away_until, comes, kubelet_since=2.0, offered=WITHOUT_X)
        assert counts(history + over(comes, comes + 5, kubelet_since=2.0))[3][1] == blamed
