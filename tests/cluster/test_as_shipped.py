"""The manifests unchanged, with the host's own /dev and /sys, on a node that has no NPU.

Runs before the overlay is applied, since the objects have the same names: conftest.py sees to the order.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.cluster import privilege
from tests.cluster.cluster import Cluster
from tests.cluster.product import DEPLOYMENTS

NODE = "plain-node01"
FAMILY = "alpha.furiosa.ai/npu.family"
PLUGIN, LABELLER = DEPLOYMENTS / "device-plugin.yaml", DEPLOYMENTS / "node-labeller.yaml"


class Shipped(NamedTuple):
    """The manifests applied as they are, both agents Ready."""

    cluster: Cluster
    dev_before: str
    """what was in the node's /dev"""
    tried: dict[str, dict[str, Any]]
    """by agent: what was tried from inside its container"""


@pytest.fixture(scope="module")
def shipped(cluster_with_image: Cluster) -> Iterator[Shipped]:
    """Label given by hand, since there is no NPU; the labeller takes it away again, and the plugin's pod goes with it.

    Afterwards all of it is gone.
    """
    cluster = cluster_with_image
    before = everything_in_dev(cluster)
    cluster.kubectl("label", "node", NODE, f"{FAMILY}=warboy")
    cluster.kubectl("apply", f"--filename={PLUGIN}")
    cluster.wait("the plugin to be Ready", lambda: readiness(cluster, "furiosa-npu-plugin") == (1, 1))
    tried = {privilege.PLUGIN: privilege.try_inside(cluster, privilege.PLUGIN, NODE, "/dev")}
    cluster.kubectl("apply", f"--filename={LABELLER}")
    cluster.wait("the labellers to be Ready", lambda: readiness(cluster, "furiosa-npu-labeller") == (3, 3))
    tried[privilege.LABELLER] = privilege.try_inside(cluster, privilege.LABELLER, NODE, "/dev")
    yield Shipped(cluster, before, tried)
    for manifest in (PLUGIN, LABELLER):
        cluster.kubectl("delete", "--ignore-not-found", f"--filename={manifest}")
    cluster.kubectl("label", "node", NODE, f"{FAMILY}-")
    cluster.wait("the agents' pods to end", lambda: not cluster.get("pods", "--namespace=kube-system")["items"])


def readiness(cluster: Cluster, name: str) -> tuple[int, int]:
    """How many pods a DaemonSet wants and how many of them are Ready."""
    status = cluster.get("daemonset", "--namespace=kube-system", name)["status"]
    return status["desiredNumberScheduled"], status["numberReady"]


def everything_in_dev(cluster: Cluster) -> str:
    return cluster.node(NODE).shell("find /dev | sort")


def test_unchanged_manifests_are_ready_without_an_npu_and_leave_dev_alone(shipped: Shipped) -> None:
    """The plugin is Ready on the labelled node, the labeller everywhere, and nothing new lies in /dev."""
    assert everything_in_dev(shipped.cluster) == shipped.dev_before


@pytest.mark.parametrize(
    ("program", "how"),
    [(privilege.PLUGIN, "EPERM"), (privilege.LABELLER, "EACCES")],
    ids=["root by the device cgroup", "nobody by the mode"],
)
def test_the_hosts_own_dev_is_seen_and_neither_written_nor_opened(shipped: Shipped, program: str, how: str) -> None:
    """Read-only as a mount; what can be opened there is what each container has anyway (null, zero, terminals)."""
    tried = shipped.tried[program]
    assert set(tried["writable"]) - privilege.OF_THE_RUNTIME[program] == privilege.WRITABLE[program]
    assert "/dev" not in tried["writable"]
    assert tried["refused"]["/dev"]["EROFS"] > 0
    refused = {path: answer for path, answer in tried["devices"].items() if answer in ("EPERM", "EACCES")}
    assert refused == {"/dev/kmsg": how}
