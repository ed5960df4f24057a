"""The judge over pods that failed because a card was refused: rightly or not."""

import pytest

from tests.cluster.chaos.history import Event, Pods, PodSeen
from tests.unit.chaos_histories import GOOD, counts, over, sample


def refused(at: float, said: str) -> Pods:
    """A look that shows a pod with an `Allocate` that the plugin refused."""
    reason = f"UnexpectedAdmissionError: Allocate failed due to rpc error: code = FailedPrecondition desc = {said}"
    return Pods(at, (PodSeen("p", "chaos-1", "node", "Failed", reason, ended=True, requests=1),))


UNREADABLE = "a/npu: npu0 (X) is unreadable: no answer from /sys/class/npu_mgmt/npu0_mgmt/alive in 2 s"


def test_a_good_card_that_is_refused_is_found() -> None:
    """It was good by the record and offered all the time; a pod failed with a reason that is false."""
    history = [*over(0, 4), Pods(4.0, ()), *over(4, 5), refused(5.0, UNREADABLE), *over(5, 10)]
    assert counts(history)[3] == (1, 1)


@pytest.mark.parametrize(("bad_from", "good_from"), [(2.0, 4.5), (4.25, 9.0), (5.0, 9.0)])
def test_a_card_that_was_bad_at_any_time_in_which_it_may_have_been_refused_was_rightly_refused(
    bad_from: float, good_from: float
) -> None:
    """The pod was not there at 4 and had failed at 5; the record is looked at four times a second."""
    history: list[Event] = [
        sample(quarter / 4, cards=GOOD | {"X": "not-alive"} if bad_from <= quarter / 4 < good_from else GOOD)
        for quarter in range(48)
    ]
    history = sorted([*history, Pods(4.0, ()), refused(4.99, UNREADABLE)], key=lambda event: event.at)
    assert counts(history)[3] == (1, 0)


def test_a_card_that_is_in_use_under_the_other_name_is_no_false_refusal() -> None:
    """The plugin knows of a pod that no record shows yet."""
    said = "a/npu: npu0 (X) is in use under the name b/npu"
    history = [*over(0, 4), Pods(4.0, ()), *over(4, 5), refused(5.0, said), *over(5, 10)]
    assert counts(history)[3] == (0, 0)
