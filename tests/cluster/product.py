"""The product as a user installs it: the image built from the Containerfile, the manifests applied."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import furiosa_npu
from furiosa_npu.kubelet.checkpoint import FILE_NAME
from tests.cluster import images
from tests.cluster.chaos.records import parse_checkpoint
from tests.cluster.cluster import Cluster, stage
from tests.cluster.images import Built
from tests.cluster.node import Node
from tests.cluster.pods import ALPHA, PLAIN
from tests.cluster.simulation import FOLDER, Simulation

REPOSITORY = Path(__file__).parents[2]
IMAGE = f"furiosa-npu:{furiosa_npu.__version__}"
OVERLAY = REPOSITORY / "kubernetes/overlays/simulated"
DEPLOYMENTS = REPOSITORY / "kubernetes/deployments"
SCENARIO = REPOSITORY / "examples/scenarios/haps.yaml"
CARDS_A_NODE = 2
PLUGIN = "furiosa-npu-plugin"
IMAGE_INPUTS = (
    "Containerfile",
    ".containerignore",
    "requirements.txt",
    "pyproject.toml",
    "README.md",
    "src",
    "static",
    "image",
)


def built(architecture: str = "amd64") -> Built:
    """The shipped image, unless it is in the cache built as the README says; for this machine twice, to compare."""
    inputs = tuple(name for name in IMAGE_INPUTS if (REPOSITORY / name).exists())
    return images.product(REPOSITORY, IMAGE, inputs, architecture, times=2 if architecture == "amd64" else 1)


def is_seen(cluster: Cluster, daemon_set: str) -> bool:
    """The controller knows the newest template of a DaemonSet of kube-system."""
    found = cluster.get("daemonset", "--namespace=kube-system", daemon_set)
    return bool(found["status"]["observedGeneration"] == found["metadata"]["generation"])


def load_image(cluster: Cluster) -> None:
    """Puts the shipped image on every node."""
    with stage("the product's image"):
        cluster.load(built().archive)


class Product:
    """Simulated Warboys on two nodes, agents on all three."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.npu_nodes = [node for node in cluster.nodes if node.name.startswith("warboy")]
        self.simulations = {node.name: Simulation(node, SCENARIO, cluster.run.logs) for node in self.npu_nodes}
        cluster.node("plain-node01").run(["mkdir", "-p", f"{FOLDER}/dev", f"{FOLDER}/sys"])
        with stage("manifests applied, all NPUs allocatable"):
            cluster.kubectl("apply", f"--kustomize={OVERLAY}")
            self.wait_until_offered()

    def agents(self, name: str) -> dict[str, dict[str, Any]]:
        """The pods of a DaemonSet by their node; one that no scheduler has seen yet is not among them."""
        items = self.cluster.get("pods", "--namespace=kube-system")["items"]
        owned = [item for item in items if item["metadata"]["ownerReferences"][0]["name"] == name]
        return {item["spec"]["nodeName"]: item for item in owned if "nodeName" in item["spec"]}

    def in_plugin(self, node: str, *argv: str) -> str:
        """Standard output of a command run in the plugin's container on a node."""
        name = self.agents(PLUGIN)[node]["metadata"]["name"]
        return self.cluster.kubectl("exec", "--namespace=kube-system", name, "--", *argv)

    def plugin_log(self, node: str) -> str:
        name = self.agents(PLUGIN)[node]["metadata"]["name"]
        return self.cluster.kubectl("logs", "--namespace=kube-system", name)

    def status(self, node: str) -> dict[str, tuple[str, ...]]:
        """What `furiosa-npu-plugin status` says: by card UUID, state, reason, since, pod and container."""
        rows = [re.split(" {3,}", line) for line in self.in_plugin(node, "furiosa-npu-plugin", "status").splitlines()]
        assert rows[0] == ["NAME", "UUID", "STATE", "REASON", "SINCE", "POD", "CONTAINER"]
        return {name: tuple(cells) for name, *cells in rows[1:]}

    def uuid(self, node: str, npu: str) -> str:
        """As the simulated driver's file says it."""
        folder = self.cluster.node(node).path(f"{FOLDER}/sys/class/npu_mgmt/{npu}_mgmt")
        return (folder / "device_uuid").read_text().strip()

    def restart_plugins(self) -> None:
        """Deletes the plugins' pods, all at once; returns when others are Ready: registered with their kubelets."""
        before = self.agents(PLUGIN)
        self.delete_plugins()
        self.cluster.wait("other plugins to be Ready", lambda: self._are_ready_and_others(before))

    def delete_plugins(self) -> None:
        """All at once; returns when they are gone.

        Others come, of the newest template: a controller that has not seen it yet would make them of the one before.
        """
        self.cluster.wait(f"the controller to have seen {PLUGIN}", lambda: is_seen(self.cluster, PLUGIN))
        self.cluster.kubectl("delete", "pods", "--namespace=kube-system", f"--selector=app.kubernetes.io/name={PLUGIN}")

    def _are_ready_and_others(self, before: dict[str, dict[str, Any]]) -> bool:
        """By the pods themselves: their DaemonSet's status may not have seen yet that the ones of before are gone."""
        uids = {pod["metadata"]["uid"] for pod in before.values()}
        now = self.agents(PLUGIN)
        return now.keys() == {node.name for node in self.npu_nodes} and all(
            pod["metadata"]["uid"] not in uids and all(one["ready"] for one in pod["status"]["containerStatuses"])
            for pod in now.values()
        )

    def allocatable(self, node: str, resource: str) -> int:
        """How many NPUs the scheduler may give out on a node under one name."""
        status = self.cluster.get("node", node)["status"]
        return int(status["allocatable"].get(resource, "0"))

    def wait_allocatable(self, node: str, resource: str, count: int) -> None:
        self.cluster.wait(
            f"{count} x {resource} allocatable on {node}",
            lambda: self.allocatable(node, resource) == count,
        )

    def wait_until_offered(self) -> None:
        """All cards of both nodes can be asked for, under both names.

        The kubelet's own list is looked at first: what a node's status says may be ten seconds old.
        """
        for node in self.npu_nodes:
            self.cluster.wait(f"the kubelet of {node.name} to have all cards listed", partial(_lists_all, node))
            for resource in (ALPHA, PLAIN):
                self.wait_allocatable(node.name, resource, CARDS_A_NODE)


def _lists_all(node: Node) -> bool:
    """As its kubelet was told last."""
    checkpoint = node.path(f"/var/lib/kubelet/device-plugins/{FILE_NAME}")
    offered = parse_checkpoint(0.0, checkpoint.read_text()).offered if checkpoint.exists() else {}
    return [len(offered.get(resource, ())) for resource in (ALPHA, PLAIN)] == [CARDS_A_NODE] * 2
