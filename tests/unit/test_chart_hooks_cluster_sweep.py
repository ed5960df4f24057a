"""What an uninstallation asks of the API server, and what it says when that is not to be had."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from furiosa_npu.chart_hooks.cluster_sweep import await_nodes, sweep_cluster
from furiosa_npu.chart_hooks.lists import Unanswered, listed
from furiosa_npu.chart_hooks.patience import Patience
from furiosa_npu.cluster.api import Answer, ApiRequest

PODS = "/api/v1/namespaces/npu/pods"
SWEEP = "/apis/apps/v1/namespaces/npu/daemonsets/furiosa-npu-sweep"
SLICES = "/apis/resource.k8s.io/v1/resourceslices"
FEATURES = "/apis/nfd.k8s-sigs.io/v1alpha1/namespaces/npu/nodefeatures"
KEY = "example.com/new"
TAINT = {"key": KEY, "effect": "NoSchedule"}
CONDITIONS = [{"type": "Ready", "status": "True"}, {"type": "FuriosaNPUHealthy"}]
NODES = [
    {
        "metadata": {
            "name": "n1",
            "labels": {"a": "b", "alpha.furiosa.ai/npu.family": "warboy", "furiosa.ai/npu.count": "2"},
            "managedFields": [
                {"manager": "furiosa-npu", "fieldsV1": {"f:metadata": {"f:labels": {"f:furiosa.ai/npu.count": {}}}}},
                {"manager": "kubectl", "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}}},
            ],
        },
        "spec": {"taints": [{"key": "a", "effect": "NoExecute"}, TAINT]},
        "status": {"conditions": CONDITIONS[:1]},
    },
    {"metadata": {"name": "n2"}, "status": {"conditions": CONDITIONS}},
    {"metadata": {"name": "n3", "labels": {"a": "b"}}, "status": {"conditions": CONDITIONS[:1]}},
]


class Api:
    """Answers with what it was given, by path; a list of answers one after the other, the last again and again."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers
        self.asked: list[ApiRequest] = []

    def __call__(self, requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        self.asked += requests
        return tuple(self._answer(request) for request in requests)

    def _answer(self, request: ApiRequest) -> Answer:
        if request.method != "GET":
            return Answer(200, {}, None)
        if "as=PartialObjectMetadata;" in request.accept:  # each GET with this accept is of a list here
            return Answer(406, {"message": "the requested object is a list"}, None)
        found = self._answers.get(request.path.partition("?")[0], Answer(404, "404 page not found", None))
        if isinstance(found, list) and found and isinstance(found[0], Answer):
            return found.pop(0) if len(found) > 1 else found[0]
        return found if isinstance(found, Answer) else Answer(200, {"metadata": {}, "items": found}, None)

    def written(self) -> list[tuple[str, str, object]]:
        writes = [one for one in self.asked if one.method != "GET"]
        return [(one.method, one.path, json.loads(one.body) if one.body else None) for one in writes]


class Clock:
    """Only sleeping moves it on."""

    def __init__(self) -> None:
        self.now = 0.0

    def patience(self, seconds: float) -> Patience:
        def sleep(for_seconds: float) -> None:
            self.now += for_seconds

        return Patience(seconds, lambda: self.now, sleep)


def patience(seconds: float = 0) -> Patience:
    return Clock().patience(seconds)


def items(*found: dict[str, Any]) -> Answer:
    return Answer(200, {"metadata": {}, "items": list(found)}, None)


AGENT = {"metadata": {"name": "furiosa-npu-plugin-x"}, "spec": {"nodeName": "n1"}}


def test_labels_condition_startup_taint_and_slices_go_once_no_agent_runs() -> None:
    """Of the nodes that have them; other labels, taints and conditions stay, other nodes are not written."""
    api = Api({PODS: [items(AGENT), items()], "/api/v1/nodes": NODES, SLICES: [items({"metadata": {"name": "s1"}})]})
    said: list[str] = []
    assert sweep_cluster(api, "npu", KEY, patience(5), said.append) is None
    condition = {"status": {"conditions": [{"$patch": "delete", "type": "FuriosaNPUHealthy"}]}}
    assert api.written() == [
        (
            "PATCH",
            "/api/v1/nodes/n1",
            {"metadata": {"labels": {"alpha.furiosa.ai/npu.family": None, "furiosa.ai/npu.count": None}}},
        ),
        (
            "PATCH",
            "/api/v1/nodes/n1",
            [
                {"op": "test", "path": "/spec/taints/1", "value": TAINT},
                {"op": "remove", "path": "/spec/taints/1"},
            ],
        ),
        ("PATCH", "/api/v1/nodes/n2/status", condition),
        ("DELETE", f"{SLICES}/s1", None),
    ]
    assert said == [
        "removed alpha.furiosa.ai/npu.family and furiosa.ai/npu.count of node n1",
        "removed taint example.com/new of node n1",
        "removed condition FuriosaNPUHealthy of node n2",
        "removed ResourceSlice s1",
    ]


def feature(name: str, node: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"nfd.node.kubernetes.io/node-name": node}}}


def test_the_labellers_node_features_go_first() -> None:
    """So that nfd-master does not put their labels back; nfd-worker's and anybody else's stay."""
    others = [feature("n1", "n1"), feature("furiosa-npu-n1", "n2"), {"metadata": {"name": "furiosa-npu-n3"}}]
    api = Api(
        {PODS: [items()], FEATURES: [items(feature("furiosa-npu-n1", "n1"), *others)], "/api/v1/nodes": NODES[1:]}
    )
    said: list[str] = []
    assert sweep_cluster(api, "npu", KEY, patience(), said.append) is None
    assert [(method, path) for method, path, _ in api.written()] == [
        ("DELETE", f"{FEATURES}/furiosa-npu-n1"),
        ("PATCH", "/api/v1/nodes/n2/status"),
    ]
    assert said == ["removed NodeFeature furiosa-npu-n1", "removed condition FuriosaNPUHealthy of node n2"]


SETS = "/apis/apps/v1/namespaces/npu/daemonsets"


def test_nothing_goes_while_the_agents_are_installed() -> None:
    """A rendered chart that was applied with its hooks installs both, and what kubectl applied of the other plane the
    release never had; the DaemonSets are named, with what to do.
    """
    there = {f"{SETS}/furiosa-npu-labeller": Answer(200, {}, None), f"{SETS}/furiosa-npu-plugin": Answer(200, {}, None)}
    api, clock = Api(there | {PODS: [], "/api/v1/nodes": NODES}), Clock()
    assert sweep_cluster(api, "npu", KEY, clock.patience(20), lambda _: None) == (
        "furiosa-npu-labeller, furiosa-npu-plugin: DaemonSets of namespace npu that are there: nothing was removed. "
        "Where a chart was rendered and applied with its hooks: render it with --no-hooks, and delete what has "
        "the label app.kubernetes.io/component=chart-hook. Where kubectl applied a manifest of the plane that the "
        "release did not have: 'kubectl delete -f' it, then install and uninstall again"
    )
    assert (api.written(), clock.now) == ([], 20)


def test_daemon_sets_are_waited_for_but_not_one_that_itself_waits_for_its_pods() -> None:
    """As with `helm uninstall --cascade=foreground`: a node that is cut off would keep it for ever."""
    there, gone = Answer(200, {"metadata": {}}, None), Answer(404, {"message": "not found"}, None)
    going = Answer(200, {"metadata": {"deletionTimestamp": "2026-01-31T09:30:00Z"}}, None)
    sets = {
        f"{SETS}/furiosa-npu-dra-driver": [there, Answer(None, None, "no route"), gone],
        f"{SETS}/furiosa-npu-labeller": going,
    }
    api, clock = Api(sets | {PODS: [], "/api/v1/nodes": NODES[1:]}), Clock()
    assert sweep_cluster(api, "npu", KEY, clock.patience(20), lambda _: None) is None
    assert ([path for _, path, _ in api.written()], clock.now) == (["/api/v1/nodes/n2/status"], 1)


def test_an_agent_that_does_not_end_is_named_and_the_rest_is_done() -> None:
    """On a node that is Ready it could write again. A cluster without DRA has no slices."""
    api, clock = Api({PODS: [AGENT], "/api/v1/nodes": NODES[:1]}), Clock()
    reason = sweep_cluster(api, "npu", KEY, clock.patience(20), lambda _: None)
    assert reason is not None
    assert reason.startswith("agents that have not ended: furiosa-npu-plugin-x on n1. ")
    assert (len(api.written()), clock.now) == (2, 20)


@pytest.mark.parametrize("ready", ["False", "Unknown", None])
def test_an_agent_on_a_node_that_is_cut_off_is_not_waited_for(ready: str | None) -> None:
    """What it left at the API server goes all the same; the uninstallation goes on to the other nodes."""
    conditions = [{"type": "Ready", "status": ready}, {"type": "FuriosaNPUHealthy"}] if ready else CONDITIONS[1:]
    node = NODES[0] | {"status": {"conditions": conditions}}
    api, clock = Api({PODS: [AGENT], "/api/v1/nodes": [node, *NODES[1:]]}), Clock()
    said: list[str] = []
    assert sweep_cluster(api, "npu", KEY, clock.patience(120), said.append) is None
    assert said == [
        "removed alpha.furiosa.ai/npu.family and furiosa.ai/npu.count of node n1",
        f"removed taint {KEY} of node n1",
        "removed condition FuriosaNPUHealthy of node n1",
        "removed condition FuriosaNPUHealthy of node n2",
        "not waited for: furiosa-npu-plugin-x on n1, which is not Ready",
    ]
    assert clock.now == 3


def test_what_the_api_server_refuses_is_said_with_the_right_that_is_missing() -> None:
    """In its own words."""
    forbidden = Answer(403, {"message": "nodes is forbidden"}, None)
    with pytest.raises(Unanswered, match=r"nodes is forbidden.*the right to list nodes is missing"):
        sweep_cluster(Api({PODS: [], "/api/v1/nodes": forbidden}), "npu", KEY, patience(), lambda _: None)


def test_a_list_is_read_to_its_end() -> None:
    """Page by page, each asked for by the token of the one before."""
    first = Answer(200, {"metadata": {"continue": "a b="}, "items": [{"n": 1}]}, None)
    api = Api({PODS: [first, items({"n": 2})]})
    assert list(listed(api, PODS, "labelSelector=x")) == [{"n": 1}, {"n": 2}]
    assert [request.path for request in api.asked] == [
        f"{PODS}?labelSelector=x&limit=100",
        f"{PODS}?labelSelector=x&limit=100&continue=a%20b%3D",
    ]


def test_what_is_not_answered_is_asked_again_until_the_deadline() -> None:
    """An API server that is started anew, a right that is not known everywhere yet."""
    away = Answer(None, None, "no route")
    api = Api({PODS: [away, items(AGENT), away, items()], "/api/v1/nodes": []})
    assert sweep_cluster(api, "npu", KEY, patience(5), lambda _: None) is None
    clock = Clock()
    with pytest.raises(Unanswered, match="no route"):
        sweep_cluster(Api({PODS: away}), "npu", KEY, clock.patience(5), lambda _: None)
    assert clock.now == 5


def daemon_set(observed: int, desired: int) -> Answer:
    status = {"observedGeneration": observed, "desiredNumberScheduled": desired}
    return Answer(200, {"metadata": {"generation": 1}, "status": status}, None)


def sweeping(node: str, done: str) -> dict[str, Any]:
    """A pod whose init container sweeps."""
    spec = {"nodeName": node} if node else {}
    return {
        "metadata": {"name": f"sweep-{node}"},
        "spec": spec,
        "status": {"conditions": [{"type": "Initialized", "status": done}]},
    }


DONE, AT_WORK, HOMELESS = sweeping("n2", "True"), sweeping("n2", "False"), sweeping("", "False")
AWAY = sweeping("n9", "False")


@pytest.mark.parametrize(
    ("states", "pods", "answer", "seconds"),
    [
        ([daemon_set(0, 0), daemon_set(1, 2)], [items(), items(DONE), items(DONE, DONE)], None, 1),
        ([daemon_set(1, 2)], [items(DONE, AT_WORK)], "n2", 20),
        ([daemon_set(1, 2)], [items(DONE, AWAY)], "n9 (not Ready)", 3),
        ([daemon_set(1, 2)], [items(AT_WORK, AWAY), items(DONE, AWAY)], "n9 (not Ready)", 3),
        ([daemon_set(1, 2)], [items(AT_WORK, AWAY)], "n9 (not Ready), n2", 20),
        ([daemon_set(1, 3)], [items(DONE, HOMELESS)], "nodes without a pod yet", 20),
    ],
    ids=["all in the end", "one never", "one cut off", "one cut off, one late", "both", "no pod"],
)
def test_nodes_are_waited_for_and_those_that_were_not_swept_are_named(
    states: list[Answer], pods: list[Answer], answer: str | None, seconds: int
) -> None:
    """Not before the DaemonSet is known to its controller; those that are cut off no longer than the others."""
    clock = Clock()
    nodes = [*NODES, {"metadata": {"name": "n9"}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}]
    found = await_nodes(Api({SWEEP: states, PODS: pods, "/api/v1/nodes": nodes}), "npu", clock.patience(20))
    assert (found and found.partition(". ")[0]) == (answer and f"not swept: {answer}")
    assert clock.now == seconds
