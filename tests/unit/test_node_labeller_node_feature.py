"""The NodeFeature object that nfd-master reads, against an API server that has its kind."""

import json
from typing import Any

import pytest

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.node_labeller.cleanup import Cleanup, cleanup
from furiosa_npu.node_labeller.label_keeper import LabelKeeper
from furiosa_npu.node_labeller.labels import FAMILY_LABEL, HWTYPE_LABEL, CardType, Sight
from furiosa_npu.node_labeller.node_feature import NodeFeature

WARBOY = Sight(("warboy",), (), (), (CardType("npu0", "warboy", True, "haps"),))
U250 = WARBOY._replace(cards=(CardType("npu0", "warboy", True, "u250"),))
NOTHING = Sight((), (), (), ())
OBJECTS = "/apis/nfd.k8s-sigs.io/v1alpha1/namespaces/kube-system/nodefeatures"
NAME = "furiosa-npu-n1"
NODE = {"nfd.node.kubernetes.io/node-name": "n1"}


class Server:
    """One object, or none."""

    def __init__(self) -> None:
        self.object: dict[str, Any] | None = None
        self.asked: list[str] = []

    def ask(self, request: ApiRequest) -> Answer:
        self.asked.append(request.method)
        assert request.path == (OBJECTS if request.method == "POST" else f"{OBJECTS}/{NAME}")
        body = json.loads(request.body) if request.body else {}
        if request.method == "POST":
            if self.object is not None:
                return Answer(409, {"message": "already exists"}, None)
            assert (body["apiVersion"], body["kind"]) == ("nfd.k8s-sigs.io/v1alpha1", "NodeFeature")
            assert body["metadata"]["name"] == NAME
            self.object = body
            return Answer(201, body, None)
        if self.object is None:
            return Answer(404, {"kind": "Status", "message": "not found"}, None)
        if request.method == "DELETE":
            self.object = None
            return Answer(200, {"kind": "Status", "status": "Success"}, None)
        if request.method == "PATCH":
            self.object["metadata"].setdefault("labels", {}).update(body["metadata"]["labels"])
            labels = self.object["spec"].setdefault("labels", {})
            labels.update(body["spec"]["labels"])
            self.object["spec"]["labels"] = {name: value for name, value in labels.items() if value is not None}
        return Answer(200, json.loads(json.dumps(self.object)), None)

    def settle(self, keeper: LabelKeeper, now: float = 0.0) -> list[str]:
        """The methods of all that the keeper asks."""
        self.asked.clear()
        for _ in range(10):
            request = keeper.due(now)
            if request is None:
                return [*self.asked]
            keeper.answered(request, self.ask(request), now, 0.0)
            now += 1000.0
        raise AssertionError(self.asked)


def _keeper(sight: Sight) -> LabelKeeper:
    keeper = LabelKeeper(NodeFeature("kube-system", "n1"), None)
    keeper.look(sight, 0.0)
    return keeper


def test_the_object_is_made_changed_and_deleted_with_the_labels() -> None:
    """With the label by which nfd-master finds its node."""
    server, keeper = Server(), _keeper(WARBOY)
    assert server.settle(keeper) == ["GET", "POST"]
    assert server.object is not None
    assert server.object["metadata"]["labels"] == NODE
    assert server.object["spec"] == {"labels": {FAMILY_LABEL: "warboy", HWTYPE_LABEL: "haps"}}
    keeper.look(U250, 1.0)
    assert server.settle(keeper) == ["PATCH"]
    assert server.object["spec"]["labels"][HWTYPE_LABEL] == "u250"
    keeper.look(NOTHING, 10.0)
    keeper.look(NOTHING, 15.0)
    assert server.settle(keeper, 15.0) == ["DELETE"]
    assert keeper.unsettled() is None
    assert not server.object
    keeper.look(WARBOY, 20.0)
    assert server.settle(keeper, 20.0) == ["POST"]


def test_a_node_without_npus_has_no_object() -> None:
    """It is looked for once, and not made."""
    assert Server().settle(_keeper(NOTHING)) == ["GET"]


def test_a_restart_writes_nothing() -> None:
    """The object stands as it should."""
    server = Server()
    server.settle(_keeper(WARBOY))
    assert server.settle(_keeper(WARBOY)) == ["GET"]


def test_a_label_that_is_not_wanted_any_more_goes() -> None:
    """All of the object is the labeller's."""
    server = Server()
    server.settle(_keeper(WARBOY))
    assert server.object is not None
    server.object["spec"]["labels"]["furiosa.ai/npu.count"] = "8"
    assert server.settle(_keeper(WARBOY)) == ["GET", "PATCH"]
    assert server.object["spec"]["labels"] == {FAMILY_LABEL: "warboy", HWTYPE_LABEL: "haps"}


def test_an_object_that_was_deleted_or_made_meanwhile_is_looked_at_again() -> None:
    """Somebody else was at it between two requests."""
    server, keeper = Server(), _keeper(WARBOY)
    server.settle(keeper)
    server.object = None
    keeper.look(U250, 1.0)
    assert server.settle(keeper) == ["PATCH", "GET", "POST"]
    other = _keeper(WARBOY)
    request = other.due(0.0)
    assert request is not None
    other.answered(request, Answer(404, {"message": "not found"}, None), 0.0, 0.0)
    assert server.settle(other) == ["POST", "GET", "PATCH"]


def test_an_object_that_nfd_does_not_take_for_the_nodes_is_put_right() -> None:
    """Its label was lost."""
    server = Server()
    server.settle(_keeper(WARBOY))
    assert server.object is not None
    server.object["metadata"]["labels"] = {}
    assert server.settle(_keeper(WARBOY)) == ["GET", "PATCH"]
    assert server.object["metadata"]["labels"] == NODE


@pytest.mark.parametrize(("status", "body"), [(404, "404 page not found"), (403, {"message": "no"})])
def test_a_cluster_without_nfd_or_the_right_is_named(status: int, body: object) -> None:
    """An unknown kind is no object that is missing."""
    keeper = _keeper(WARBOY)
    request = keeper.due(0.0)
    assert request is not None
    said = keeper.answered(request, Answer(status, body, None), 0.0, 0.0).complaint or ""
    missing = "are the namespace and Node Feature Discovery's CRDs there?"
    assert (missing in said, "the right to get nodefeatures is missing" in said) == (status == 404, status == 403)
    assert keeper.due(1000.0) == request


def test_an_answer_that_is_no_node_feature_is_not_believed() -> None:
    """Nothing is decided on it."""
    board = NodeFeature("kube-system", "n1")
    bodies: tuple[object, ...] = ("hello", {"metadata": {}}, {"metadata": {}, "spec": {"labels": ["x"]}})
    for body in bodies:
        with pytest.raises(ValueError, match=r"^the API server's answer.*: found "):
            board.standing(board.read(), Answer(200, body, None))


def test_cleanup_deletes_the_object() -> None:
    """And says what was in it, then that there is nothing."""
    server = Server()
    server.settle(_keeper(WARBOY))
    board, where = NodeFeature("kube-system", "n1"), f"{OBJECTS}/{NAME}"
    report = f"removed {FAMILY_LABEL}=warboy from {where}\nremoved {HWTYPE_LABEL}=haps from {where}"
    assert cleanup(board, server.ask) == Cleanup(report, None)
    assert server.object is None
    nothing = f"{where} has neither {FAMILY_LABEL} nor {HWTYPE_LABEL}: nothing to remove"
    assert cleanup(board, server.ask) == Cleanup(nothing, None)


def test_a_name_that_nfd_cannot_keep_is_refused() -> None:
    """A node's name can have 253 characters, a label's value 63."""
    with pytest.raises(ValueError, match="expected 63 characters at most"):
        NodeFeature("kube-system", "n" * 64)
    with pytest.raises(ValueError, match="expected a DNS label"):
        NodeFeature("Kube/system", "n1")
