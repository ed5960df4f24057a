"""What the labeller asks the API server, and when: against a server that fails as it likes."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.node import get_node, patch_node_labels
from furiosa_npu.node_labeller.board import NodesLabels
from furiosa_npu.node_labeller.label_keeper import LabelKeeper, Outcome
from furiosa_npu.node_labeller.labels import FAMILY_LABEL, HWTYPE_LABEL, CardType, Labels, Sight

WARBOY = Sight(("warboy",), (), (), (CardType("npu0", "warboy", True, "haps"),))

NOTHING = Sight((), (), (), ())

LABELLED = {FAMILY_LABEL: "warboy", HWTYPE_LABEL: "haps"}


def _node(labels: dict[str, str]) -> Answer:
    return Answer(200, {"metadata": {"labels": {"kept": "1"} | labels}}, None)


def _keeper(labels: dict[str, str], sight: Sight = WARBOY) -> LabelKeeper:
    """A keeper that has read the node and looked at it."""
    keeper = LabelKeeper(NodesLabels("n1"), None)
    assert keeper.due(0.0) == get_node("n1")
    keeper.answered(get_node("n1"), _node(labels), 0.0, 0.0)
    keeper.look(sight, 0.0)
    return keeper


def test_the_node_is_read_once_and_left_alone_when_it_is_as_wanted() -> None:
    """A restart on a labelled node writes nothing."""
    keeper = _keeper(LABELLED)
    assert (keeper.due(0.0), keeper.retry_at(), keeper.unsettled()) == (None, None, None)
    keeper.look(WARBOY, 60.0)
    assert keeper.due(1e9) is None


def test_after_a_start_the_node_is_not_read_for_a_while() -> None:
    """What chance gave to this node; then at once."""
    keeper = LabelKeeper(NodesLabels("n1"), None, not_before=1.7)
    keeper.look(WARBOY, 0.1)
    assert (keeper.due(1.6), keeper.retry_at(), keeper.unsettled()) == (None, 1.7, "the API server was not asked yet")
    assert keeper.due(1.7) == get_node("n1")
    keeper.answered(get_node("n1"), _node(LABELLED), 1.8, 0.0)
    assert (keeper.due(1.8), keeper.retry_at(), keeper.unsettled()) == (None, None, None)


def test_only_what_differs_is_patched() -> None:
    """One label wrong: one label in the patch."""
    keeper = _keeper({FAMILY_LABEL: "warboy", HWTYPE_LABEL: "u250"})
    request = patch_node_labels("n1", {HWTYPE_LABEL: "haps"})
    assert keeper.due(0.0) == request
    assert keeper.unsettled() == "the labels are being written"
    assert keeper.answered(request, _node(LABELLED), 0.0, 0.0) == Outcome({HWTYPE_LABEL: "haps"}, None, None)
    assert (keeper.due(0.0), keeper.unsettled()) == (None, None)


def test_both_labels_go_when_nothing_was_there_for_a_while() -> None:
    """Looks that missed nothing found nothing, and five seconds lie between them."""
    keeper = _keeper(LABELLED, NOTHING)
    assert (keeper.due(0.0), keeper.unsettled()) == (None, None)
    assert (keeper.look(NOTHING, 4.9), keeper.due(4.9)) == (5.0, None)
    assert keeper.look(NOTHING, 5.0) is None
    assert keeper.due(5.0) == patch_node_labels("n1", {FAMILY_LABEL: None, HWTYPE_LABEL: None})


def test_labels_stay_until_the_last_claim_on_a_card_that_left_is_gone() -> None:
    """Its pod cannot end without the DRA driver, which goes with the label."""
    held = NOTHING._replace(claims=("u1",))
    keeper = _keeper(LABELLED, held)
    assert (keeper.look(held, 60.0), keeper.due(60.0), keeper.unsettled()) == (None, None, None)
    assert (keeper.look(NOTHING, 65.0), keeper.due(65.0)) == (70.0, None)
    assert keeper.look(NOTHING, 70.0) is None
    assert keeper.due(70.0) == patch_node_labels("n1", {FAMILY_LABEL: None, HWTYPE_LABEL: None})


def test_a_card_that_is_reset_over_its_bus_keeps_its_labels() -> None:
    """Gone with every sign for a moment, and again later: each time the waiting begins anew."""
    keeper = _keeper(LABELLED, NOTHING)
    for now in (3.0, 6.0, 9.0):
        assert keeper.look(WARBOY, now) is None
        assert keeper.look(NOTHING, now + 1) == now + 6
        assert keeper.due(now + 1) is None


def test_a_failure_is_retried_later_and_told() -> None:
    """403: the same patch again after the delay; readiness says why."""
    keeper = _keeper({})
    request = keeper.due(0.0)
    assert request is not None
    outcome = keeper.answered(request, Answer(403, {"message": "no"}, None), 10.0, 1.0)
    assert (outcome.written, outcome.retry_seconds) == ({}, 1.0)
    assert "right to patch nodes is missing" in (keeper.unsettled() or "")
    assert (keeper.due(10.9), keeper.retry_at(), keeper.due(11.0)) == (None, 11.0, request)
    assert keeper.answered(request, Answer(403, None, None), 11.0, 1.0).retry_seconds == 2.0


def test_after_a_patch_without_an_answer_the_node_is_read_again() -> None:
    """It may or may not have been written."""
    keeper = _keeper({})
    request = keeper.due(0.0)
    assert request is not None
    keeper.answered(request, Answer(None, None, "broke off"), 0.0, 0.0)
    assert keeper.due(1.0) == get_node("n1")


def test_a_label_that_something_undoes_is_retried_with_delay_not_at_once() -> None:
    """A mutating webhook must not make a storm of patches."""
    keeper = _keeper({})
    request = keeper.due(0.0)
    assert request is not None
    outcome = keeper.answered(request, _node({}), 0.0, 1.0)
    assert outcome.complaint == (
        f"the API server took the patch, but {FAMILY_LABEL}, {HWTYPE_LABEL} is not as written: does something undo it?"
    )
    assert (keeper.due(0.5), keeper.due(1.0)) == (None, request)


def test_an_answer_that_is_no_node_is_a_complaint() -> None:
    """Nothing is decided on it."""
    keeper = LabelKeeper(NodesLabels("n1"), None)
    outcome = keeper.answered(get_node("n1"), Answer(200, "hello", None), 0.0, 0.0)
    assert outcome.complaint == "the API server's answer: found hello, expected an object with metadata"


def test_a_failed_write_that_is_not_wanted_any_more_is_no_trouble() -> None:
    """The card went before the label came: the node is as wanted, and nothing is left to retry."""
    keeper = _keeper({})
    request = keeper.due(0.0)
    assert request is not None
    keeper.answered(request, Answer(500, None, None), 0.0, 0.0)
    keeper.look(NOTHING, 0.0)
    keeper.look(NOTHING, 5.0)
    assert (keeper.unsettled(), keeper.retry_at(), keeper.due(100.0)) == (None, None, None)


def test_before_the_first_look_it_is_said_so() -> None:
    """Not ready, and why."""
    keeper = LabelKeeper(NodesLabels("n1"), None)
    assert keeper.unsettled() == "the node's NPUs were not looked at yet"
    keeper.look(WARBOY, 0.0)
    assert keeper.unsettled() == "the API server was not asked yet"


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_node_that_cannot_be_read_is_asked_for_again(status: int) -> None:
    """The same request, for ever."""
    keeper = LabelKeeper(NodesLabels("n1"), None)
    keeper.look(WARBOY, 0.0)
    for _ in range(20):
        keeper.answered(get_node("n1"), Answer(status, None, None), 0.0, 1.0)
    assert (keeper.retry_at(), keeper.due(120.0)) == (120.0, get_node("n1"))


class Server:
    """One node that answers, refuses, or does its work and loses the answer."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        self.patches = 0

    def answer(self, request: ApiRequest, mood: str) -> Answer:
        if mood == "refuse":
            return Answer(500, {"message": "etcd"}, None)
        if request.method == "PATCH":
            self.patches += 1
            for name, value in json.loads(request.body or "")["metadata"]["labels"].items():
                self.labels.pop(name, None)
                if value is not None:
                    self.labels[name] = value
        return (
            Answer(None, None, "lost") if mood == "lose" else Answer(200, {"metadata": {"labels": self.labels}}, None)
        )


@given(
    st.dictionaries(st.sampled_from([FAMILY_LABEL, HWTYPE_LABEL, "kept"]), st.sampled_from(["warboy", "haps", "x"])),
    st.lists(
        st.tuples(
            st.sampled_from([None, WARBOY, NOTHING]),
            st.sampled_from(["ok", "refuse", "lose"]),
            st.sampled_from([None, WARBOY, NOTHING]),
        )
    ),
    st.sampled_from([WARBOY, NOTHING]),
)
def test_whatever_fails_on_the_way_the_labels_end_as_wanted(
    before: dict[str, str], story: list[tuple[Sight | None, str, Sight | None]], last: Sight
) -> None:
    """After the last look and with a server that answers: both labels as wanted, no other touched, then silence."""
    server = Server(dict(before))
    keeper = LabelKeeper(NodesLabels("n1"), None)
    now = 0.0
    for sight, mood, meanwhile in [*story, (last, "ok", None), (None, "ok", None), (None, "ok", None)]:
        now += 200.0
        if sight is not None:
            keeper.look(sight, now - 5.0)
            keeper.look(sight, now)
        request = keeper.due(now)
        if request is not None:
            answer = server.answer(request, mood)
            if meanwhile is not None:
                keeper.look(meanwhile, now + 1.0)
            outcome = keeper.answered(request, answer, now, 0.5)
            assert (outcome.complaint is None) == (mood == "ok")
    expected = {name: value for name, value in before.items() if name == "kept"}
    assert server.labels == expected | (LABELLED if last is WARBOY else {})
    assert (keeper.due(now + 1e6), keeper.unsettled(), keeper.retry_at()) == (None, None, None)


COUNT, DRIVER = "furiosa.ai/npu.count", "furiosa.ai/driver.version"


def _owned(labels: Mapping[str, str], *own: str) -> Answer:
    """A node whose `managedFields` say that these labels were written by us."""
    entries = [
        {"manager": "kubectl", "fieldsV1": {"f:metadata": {"f:labels": {".": {}, **{f"f:{n}": {} for n in labels}}}}},
        {"manager": "furiosa-npu", "fieldsV1": {"f:status": {}}, "subresource": "status"},
        {"manager": "furiosa-npu", "fieldsV1": {"f:metadata": {"f:labels": {f"f:{name}": {} for name in own}}}},
    ]
    return Answer(200, {"metadata": {"labels": labels, "managedFields": entries}}, None)


class Counted:
    """More labels: how many cards there are, and whatever is told of their driver."""

    names = (COUNT, DRIVER)

    def __init__(self) -> None:
        self.driver: Labels = {DRIVER: "1.9.2"}

    def wanted(self, sight: Sight) -> Labels:
        counted: Labels = {COUNT: str(len(sight.cards))}
        return dict.fromkeys(self.names) if sight.nothing else counted | self.driver


def _more(labels: Mapping[str, str], *own: str) -> tuple[LabelKeeper, Counted]:
    more = Counted()
    keeper = LabelKeeper(NodesLabels("n1"), None, more)
    keeper.answered(get_node("n1"), _owned({**LABELLED, **labels}, *own), 0.0, 0.0)
    return keeper, more


def test_more_labels_that_are_not_there_are_written_at_once() -> None:
    """A node that was just born is scheduled on."""
    keeper, _ = _more({})
    keeper.look(WARBOY, 0.0)
    assert keeper.due(0.0) == patch_node_labels("n1", {COUNT: "1", DRIVER: "1.9.2"})


def test_more_labels_change_once_the_change_has_held() -> None:
    """A card that is reset, a driver that is loaded anew: no write. What stays is written after five seconds."""
    keeper, more = _more({COUNT: "2", DRIVER: "1.9.2"}, COUNT, DRIVER)
    assert (keeper.look(WARBOY, 0.0), keeper.due(0.0)) == (5.0, None)
    more.driver = {DRIVER: None}
    assert (keeper.look(WARBOY, 4.0), keeper.due(4.0)) == (9.0, None)
    more.driver = {DRIVER: "1.9.2"}
    assert (keeper.look(WARBOY, 6.0), keeper.due(6.0)) == (11.0, None)
    assert keeper.look(WARBOY, 11.0) is None
    assert keeper.due(11.0) == patch_node_labels("n1", {COUNT: "1"})


def test_what_is_not_known_leaves_a_more_label_as_it_is() -> None:
    """For as long as that lasts."""
    keeper, more = _more({COUNT: "1", DRIVER: "0.9"}, COUNT, DRIVER)
    more.driver = {}
    for now in (0.0, 5.0, 500.0):
        keeper.look(WARBOY, now)
        assert keeper.due(now) is None


def test_a_label_of_ours_that_is_not_wanted_any_more_goes_at_once_and_anothers_stays() -> None:
    """The option was taken away; a label of the same name that somebody else wrote is not ours to remove."""
    keeper = LabelKeeper(NodesLabels("n1"), None)
    theirs = {"furiosa.ai/npu.product": "rngd"}
    keeper.answered(get_node("n1"), _owned(LABELLED | theirs | {COUNT: "1"}, COUNT, FAMILY_LABEL), 0.0, 0.0)
    keeper.look(WARBOY, 0.0)
    assert keeper.due(0.0) == patch_node_labels("n1", {COUNT: None})


def test_with_the_last_card_more_labels_go_with_the_two() -> None:
    """In one patch."""
    keeper, _ = _more({COUNT: "1", DRIVER: "1.9.2"}, COUNT, DRIVER)
    keeper.look(WARBOY, 0.0)
    assert (keeper.look(NOTHING, 100.0), keeper.due(100.0)) == (105.0, None)
    assert keeper.look(NOTHING, 105.0) is None
    assert keeper.due(105.0) == patch_node_labels("n1", dict.fromkeys((FAMILY_LABEL, HWTYPE_LABEL, COUNT, DRIVER)))
