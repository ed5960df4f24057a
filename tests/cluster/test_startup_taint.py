"""A taint that a node was born with: the device plugin removes it once its NPUs are offered, and no other."""

from collections.abc import Iterator

import pytest

from tests.cluster.components import operations, patch, renew
from tests.cluster.pods import ALPHA, PLAIN
from tests.cluster.product import OVERLAY, Product

NODE, OTHER = "warboy-node01", "warboy-node02"
PLUGIN = "furiosa-npu-plugin"
TAINT, BUSY = "npu.furiosa.ai/not-ready", "example.com/busy"


def taints(product: Product, node: str) -> list[str]:
    """Keys."""
    return [taint["key"] for taint in product.cluster.get("node", node)["spec"].get("taints", ())]


@pytest.fixture
def tainted(product: Product) -> Iterator[None]:
    """Both nodes, as an autoscaler makes them, and one of them by somebody else, too; nothing of it after the test."""
    kubectl = product.cluster.kubectl
    ours = (f"{TAINT}=:NoSchedule", f"{TAINT}=:PreferNoSchedule")
    kubectl("taint", "nodes", NODE, f"{BUSY}=yes:PreferNoSchedule", *ours)
    kubectl("taint", "nodes", OTHER, f"{TAINT}=autoscaler:NoSchedule")
    yield
    for node in (NODE, OTHER):
        for key in {TAINT, BUSY}.intersection(taints(product, node)):
            kubectl("taint", "nodes", node, f"{key}-")
    kubectl("apply", f"--kustomize={OVERLAY}")
    product.restart_plugins()
    product.wait_until_offered()


def test_the_taint_goes_with_the_right_and_once_npus_are_offered(product: Product, tainted: None) -> None:
    """Without the right the agent says which one is missing, and goes on without it; another taint stays."""
    patch(product.cluster, "daemonset", PLUGIN, operations("startup-taint", "option.yaml"))
    renew(product.cluster, PLUGIN)
    missing = "the right to patch nodes is missing"
    product.cluster.wait("the plugin to say what it lacks", lambda: missing in product.plugin_log(NODE))
    assert (taints(product, NODE).count(TAINT), taints(product, OTHER)) == (2, [TAINT])
    patch(product.cluster, "clusterrole", PLUGIN, operations("startup-taint", "right.yaml"))
    product.cluster.wait("the taint to go", lambda: taints(product, NODE) == [BUSY])
    product.cluster.wait("the other node's, too", lambda: taints(product, OTHER) == [])
    product.cluster.wait("the plugin to say so", lambda: "startup taint removed" in product.plugin_log(NODE))
    offered = {name: product.allocatable(NODE, name) for name in (ALPHA, PLAIN)}
    assert any(offered.values()), offered
