"""Labels by way of Node Feature Discovery: a file for nfd-worker, an object for nfd-master, no right to any node."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import stage
from tests.cluster.components import COMPONENTS, operations, patch, renew, take_back, until_renewed
from tests.cluster.nfd import HOSTS_FEATURES, NUMBER, NodeFeatureDiscovery
from tests.cluster.planes import POLICIES
from tests.cluster.policies import refusal_in
from tests.cluster.product import DEPLOYMENTS, Product
from tests.cluster.releases import KUBERNETES_1_37

pytestmark = pytest.mark.only_on(KUBERNETES_1_37, why="NFD 0.19 is of its time")

NODE, OTHER = "warboy-node01", "plain-node01"
LABELLER = "furiosa-npu-labeller"
FAMILY, COUNT = "alpha.furiosa.ai/npu.family", "furiosa.ai/npu.count"
OURS = {FAMILY, "alpha.furiosa.ai/npu.hwtype", COUNT}
RIGHTS = COMPONENTS / "nfd-node-feature/rights.yaml"
OBJECTS = "/apis/nfd.k8s-sigs.io/v1alpha1/namespaces/kube-system/nodefeatures"


@pytest.fixture
def nfd(product: Product) -> Iterator[NodeFeatureDiscovery]:
    """On the node; after the test the labeller writes labels as it did before."""
    kubectl = product.cluster.kubectl
    with stage(f"Node Feature Discovery {NUMBER}"):
        nfd = NodeFeatureDiscovery(product.cluster, NODE)
    yield nfd
    nfd.end()
    kubectl("label", "nodes", "--all", f"{COUNT}-")  # which was nfd-master's to take away
    kubectl("delete", "nodefeatures", "--namespace=kube-system", "--all")
    kubectl("delete", "--ignore-not-found", f"--filename={POLICIES}")
    kubectl("delete", "--ignore-not-found", f"--filename={RIGHTS}")
    rights_alone = f"--selector=app.kubernetes.io/name!={LABELLER}"
    kubectl("apply", f"--filename={DEPLOYMENTS}/node-labeller.yaml", rights_alone)
    take_back(product.cluster, LABELLER)
    renew(product.cluster, LABELLER)
    until_renewed(product.cluster, LABELLER)
    product.wait_until_offered()


def ask_as_labeller(product: Product, requests: list[tuple[str, str, str, object]]) -> list[tuple[int, str]]:
    """With the token of its pod on the node."""
    script = (Path(__file__).parent / "asked_inside.py").read_text()
    name = product.agents(LABELLER)[NODE]["metadata"]["name"]
    command = ["/usr/bin/python3.11", "-I", "-", json.dumps(requests)]
    told = product.cluster.kubectl("exec", "--stdin", "--namespace=kube-system", name, "--", *command, stdin=script)
    return [(status, message) for status, message in json.loads(told)]


def node_features(product: Product) -> list[dict[str, Any]]:
    """The agents', by name."""
    found: list[dict[str, Any]] = product.cluster.get("nodefeatures", "--namespace=kube-system")["items"]
    return found


def test_nfd_labels_the_node_from_our_file_and_from_our_object(product: Product, nfd: NodeFeatureDiscovery) -> None:
    """With both agents' own programs and manifests, as they come: nfd-master takes our labels' namespaces.

    File and object go as the document says, and their labels with them.
    """
    cluster = product.cluster
    for kind in ("clusterrolebinding", "clusterrole"):
        cluster.kubectl("delete", kind, LABELLER)
    by_file = json.loads(
        json.dumps(operations("nfd-features-d", "labeller.yaml")).replace(
            '"path": "/etc/kubernetes/node-feature-discovery/features.d"', f'"path": "{HOSTS_FEATURES}"'
        )
    )
    counted = {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--labels=count"}
    patch(cluster, "daemonset", LABELLER, [*by_file, counted])
    renew(cluster, LABELLER)

    def count() -> str | None:
        found: str | None = cluster.get("node", NODE)["metadata"]["labels"].get(COUNT)
        return found

    cluster.wait("nfd to have labelled the node", lambda: (nfd.labelled(NODE), count()) == (OURS, "2"))
    pod = product.agents(LABELLER)[NODE]["metadata"]["name"]
    cleanup = [LABELLER, "cleanup", "--publish=features.d"]
    assert "removed" in cluster.kubectl("exec", "--namespace=kube-system", pod, "--", *cleanup)
    cluster.node(NODE).run(["touch", f"{HOSTS_FEATURES}/other"])  # else nfd-worker sees it in a minute
    cluster.wait("nfd to have taken the labels away", lambda: (nfd.labelled(NODE), count()) == (set(), None))
    take_back(cluster, LABELLER)
    cluster.kubectl("apply", f"--filename={POLICIES}", f"--filename={RIGHTS}")
    patch(cluster, "daemonset", LABELLER, [*operations("nfd-node-feature", "labeller.yaml"), counted])
    renew(cluster, LABELLER)
    node_feature = f"furiosa-npu-{NODE}"
    both = [node_feature, "furiosa-npu-warboy-node02"]
    cluster.wait("the objects", lambda: [one["metadata"]["name"] for one in node_features(product)] == both)
    assert not cluster.node(NODE).path(f"{HOSTS_FEATURES}/furiosa-npu").exists()
    product.simulations[NODE].tell("remove", "npu1")
    cluster.wait("nfd to have followed the object", lambda: (nfd.labelled(NODE), count()) == (OURS, "1"))
    product.simulations[NODE].tell("add", "npu1")
    assert [one["metadata"]["name"] for one in node_features(product)] == both
    alone = f"the labeller of furiosa-npu writes the NodeFeature of its own node alone: its token is of a pod on {NODE}"
    merge = "application/merge-patch+json"
    place = f"{OBJECTS}/{node_feature}?dryRun=All"
    table = [
        (("PATCH", place, merge, {"spec": {"labels": {COUNT: "7"}}}), None),
        (
            ("PATCH", place, merge, {"spec": {"labels": {"kubernetes.io/hostname": "x"}}}),
            "the labeller of furiosa-npu writes the labels of docs/labels.md alone",
        ),
        (
            ("DELETE", f"{OBJECTS}/furiosa-npu-warboy-node02?dryRun=All", "", None),
            f"{alone}, the object is furiosa-npu-warboy-node02",
        ),
    ]
    answers = ask_as_labeller(product, [request for request, _ in table])
    assert [refusal_in(*answer) for answer in answers] == [refusal for _, refusal in table]
    ((status, _),) = ask_as_labeller(product, [("GET", f"/api/v1/nodes/{NODE}", "", None)])
    assert status == 403
    cluster.wait("nfd to have followed again", lambda: count() == "2")  # what is removed is not to come once more
    pod = product.agents(LABELLER)[NODE]["metadata"]["name"]
    cleanup = [LABELLER, "cleanup", "--publish=node-feature"]
    assert "removed" in cluster.kubectl("exec", "--namespace=kube-system", pod, "--", *cleanup)
    cluster.wait("nfd to have taken the object's labels away", lambda: (nfd.labelled(NODE), count()) == (set(), None))
