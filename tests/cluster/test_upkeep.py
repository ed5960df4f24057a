"""Nodes in operation: drivers are reloaded, agents upgraded, kubelets restarted, folders mounted badly."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.cluster import PATIENCE_SECONDS
from tests.cluster.hosts import Program
from tests.cluster.pods import ALPHA, PLAIN, npu_pod
from tests.cluster.product import Product
from tests.cluster.watched import watched_node
from tests.cluster.workloads import Workloads

NODE = "warboy-node01"
FAMILY = "alpha.furiosa.ai/npu.family"
TOOLS = "/var/lib/furiosa-npu"
_REGISTERED = r'Got registration request from device plugin with resource(?: name |" resourceName=)"([^"]*)"'
"""as kubelets have it without and with structured logs"""


def lives(pod: dict[str, Any]) -> tuple[str, int]:
    """What stays the same as long as a pod and its container are left alone."""
    return pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]


@contextmanager
def labels_seen(product: Product, node: str) -> Iterator[list[str | None]]:
    """Every value that the family label of a node has, one after the other."""
    seen: list[str | None] = []
    with watched_node(product.cluster, node) as states:
        yield seen
    seen.extend(each["metadata"]["labels"].get(FAMILY) for each in states())


def test_a_driver_reload_leaves_label_and_plugin_pod_alone(workloads: Workloads, product: Product) -> None:
    """Without the driver nothing is allocatable; label and plugin pod stay, and afterwards all is offered again."""
    before = lives(product.agents("furiosa-npu-plugin")[NODE])
    simulation = product.simulations[NODE]
    with labels_seen(product, NODE) as seen:
        simulation.tell("driver", "unload")
        product.wait_allocatable(NODE, ALPHA, 0)
        simulation.tell("driver", "load")
        product.wait_until_offered()
    assert set(seen) == {"warboy"}
    assert lives(product.agents("furiosa-npu-plugin")[NODE]) == before
    workloads.run(npu_pod("afterwards", {ALPHA: 2}, NODE))


def test_a_labeller_upgrade_leaves_label_and_plugin_pod_alone(product: Product) -> None:
    """`kubectl rollout restart`: each labeller stops and a new one starts; the nodes are not written to."""
    before = lives(product.agents("furiosa-npu-plugin")[NODE])
    old = product.agents("furiosa-npu-labeller")[NODE]["metadata"]["uid"]
    with labels_seen(product, NODE) as seen:
        product.cluster.kubectl("rollout", "restart", "--namespace=kube-system", "daemonset/furiosa-npu-labeller")
        product.cluster.kubectl(
            *("rollout", "status", "--namespace=kube-system", "daemonset/furiosa-npu-labeller"),
            deadline_seconds=3 * PATIENCE_SECONDS,
        )
    assert product.agents("furiosa-npu-labeller")[NODE]["metadata"]["uid"] != old
    assert set(seen) == {"warboy"}
    assert lives(product.agents("furiosa-npu-plugin")[NODE]) == before


@pytest.mark.parametrize("end", [Program.stop, Program.crash], ids=["stopped", "killed"])
def test_the_plugin_comes_back_from_a_kubelet_restart(
    workloads: Workloads, product: Product, end: Callable[[Program], None]
) -> None:
    """The plugin pod lives on and registers again; what a pod held it holds, and no one else gets it."""
    workloads.run(npu_pod("holder", {ALPHA: 1}, NODE))
    before = lives(product.agents("furiosa-npu-plugin")[NODE])
    node = product.cluster.node(NODE)
    said_before = node.kubelet.log.stat().st_size
    end(node.kubelet)
    node.kubelet.start()
    product.cluster.wait("both names registered again", lambda: registered(product, said_before) == {ALPHA, PLAIN})
    registered_at = node_status_at(product)
    product.cluster.wait("a node status of after that", lambda: node_status_at(product) > registered_at)
    product.wait_allocatable(NODE, PLAIN, 1)
    workloads.run(npu_pod("next", {PLAIN: 1}, NODE))
    assert sorted(workloads.npus("holder") + workloads.npus("next")) == ["npu0", "npu1"]
    assert lives(product.agents("furiosa-npu-plugin")[NODE]) == before


def registered(product: Product, offset: int) -> set[str]:
    """The resource names that the kubelet's log, read from a byte on, says were registered."""
    with product.cluster.node(NODE).kubelet.log.open(errors="replace") as log:
        log.seek(offset)
        return set(re.findall(_REGISTERED, log.read()))


def node_status_at(product: Product) -> str:
    """When the kubelet last wrote its node's status."""
    conditions = product.cluster.get("node", NODE)["status"]["conditions"]
    return str(next(one["lastHeartbeatTime"] for one in conditions if one["type"] == "Ready"))


def test_a_noexec_host_tools_folder_is_named_in_an_error(product: Product) -> None:
    """furiosactl could not be run from there by any pod: the plugin says so, with the folder."""
    node = product.cluster.node(NODE)
    node.shell(f"mount -t tmpfs -o noexec tools {TOOLS}")
    try:
        product.delete_plugins()
        said = product.cluster.wait("the plugin to name the folder", lambda: complaint(product))
        assert TOOLS in said
    finally:
        node.shell(f"umount --lazy {TOOLS}")
        product.restart_plugins()
    product.wait_until_offered()


def complaint(product: Product) -> str | None:
    """The line in which the plugin speaks of noexec."""
    return next((line for line in product.plugin_log(NODE).splitlines() if "noexec" in line), None)
