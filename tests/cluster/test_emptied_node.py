"""The steps by which a node is emptied and cleared of the vendor's agents, typed as the page has them."""

from typing import Any

import pytest

from tests.cluster.commands import CommandFailed
from tests.cluster.pages import EMPTYING
from tests.cluster.pods import ALPHA, PLAIN, job, npu_pod
from tests.cluster.product import Product
from tests.cluster.typed import typed
from tests.cluster.workloads import Workloads

NODE = "warboy-node02"
LABEL = "beta.furiosa.ai/npu.count"


def test_a_node_is_emptied_and_cleared_of_the_vendors_agents(product: Product, workloads: Workloads) -> None:
    """Its Job's pod ends, once no pod without a controller is there; what the vendor's agents left goes."""
    cluster = product.cluster
    cordon, drain, uncordon, unlabel, delete = EMPTYING
    workloads.run(npu_pod("alone", {ALPHA: 1}, NODE))
    workloads.apply(job("train", npu_pod("train", {PLAIN: 1}, NODE)))
    cluster.wait("the Job's pod", lambda: running(product) == {"Pod": 1, "Job": 1})
    cluster.kubectl("label", "node", NODE, f"{LABEL}=2")
    workloads.apply(*map(elsewhere, ("furiosa-device-plugin", "furiosa-npu-feature-discovery")))
    assert f"node/{NODE} cordoned" in typed(cluster, cordon, NODE=NODE)
    try:
        with pytest.raises(CommandFailed, match=r"--force[^\n]*default/alone"):
            typed(cluster, drain, NODE=NODE)
        assert running(product) == {"Pod": 1, "Job": 1}
        workloads.delete("alone")
        assert f"node/{NODE} " in typed(cluster, drain, NODE=NODE)
        assert running(product) == {}
    finally:
        assert f"node/{NODE} uncordoned" in typed(cluster, uncordon, NODE=NODE)
    typed(cluster, unlabel, NODE=NODE)
    assert LABEL not in cluster.get("node", NODE)["metadata"]["labels"]
    assert typed(cluster, delete).count(" deleted") == 2


def running(product: Product) -> dict[str, int]:
    """How many pods of the namespace run on the node, by the kind of their owner; a Pod's own are its."""
    found: dict[str, int] = {}
    for item in product.cluster.get("pods", f"--field-selector=spec.nodeName={NODE},status.phase=Running")["items"]:
        owner = item["metadata"].get("ownerReferences", [{"kind": "Pod"}])[0]["kind"]
        found[owner] = found.get(owner, 0) + 1
    return found


def elsewhere(name: str) -> dict[str, Any]:
    """A DaemonSet of the vendor's, for nodes that are not there."""
    labels = {"app": name}
    spec = npu_pod(name, {}, "nowhere")["spec"] | {"restartPolicy": "Always"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }
