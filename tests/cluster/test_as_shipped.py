"""The manifests unchanged, with the host's own /dev and /sys, on a node that has no NPU.

Runs before the overlay is applied, since the objects have the same names: conftest.py sees to the order.
"""

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.product import DEPLOYMENTS
from tests.cluster.workloads import GONE_SECONDS

NODE = "plain-node01"
FAMILY = "alpha.furiosa.ai/npu.family"
PLUGIN, LABELLER = DEPLOYMENTS / "device-plugin.yaml", DEPLOYMENTS / "node-labeller.yaml"


@pytest.fixture
def cluster_without_npus(cluster_with_image: Cluster) -> Iterator[Cluster]:
    """The manifests applied by the test are gone afterwards, and so is the label."""
    cluster = cluster_with_image
    yield cluster
    for manifest in (PLUGIN, LABELLER):
        cluster.kubectl("delete", "--ignore-not-found", f"--filename={manifest}", "--timeout=60s")
    cluster.kubectl("label", "node", NODE, f"{FAMILY}-")
    cluster.wait(
        "the agents' pods to end", lambda: not cluster.get("pods", "--namespace=kube-system")["items"], GONE_SECONDS
    )


def readiness(cluster: Cluster, name: str) -> tuple[int, int]:
    """How many pods a DaemonSet wants and how many of them are Ready."""
    status = cluster.get("daemonset", "--namespace=kube-system", name)["status"]
    return status["desiredNumberScheduled"], status["numberReady"]


def test_unchanged_manifests_are_ready_without_an_npu_and_leave_dev_alone(cluster_without_npus: Cluster) -> None:
    """Label given by hand: the plugin is Ready there, the labeller everywhere, and nothing new lies in /dev."""
    cluster = cluster_without_npus
    host = cluster.node(NODE)
    before = host.shell("find /dev | sort")
    cluster.kubectl("label", "node", NODE, f"{FAMILY}=warboy")
    cluster.kubectl("apply", f"--filename={PLUGIN}")
    cluster.wait("the plugin to be Ready", lambda: readiness(cluster, "furiosa-npu-plugin") == (1, 1))
    cluster.kubectl("apply", f"--filename={LABELLER}")
    cluster.wait("the labellers to be Ready", lambda: readiness(cluster, "furiosa-npu-labeller") == (3, 3))
    assert host.shell("find /dev | sort") == before
