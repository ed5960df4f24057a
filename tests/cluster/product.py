"""The product as a user installs it: the image built from the Containerfile, the manifests applied."""

import re
from pathlib import Path
from typing import Any

import furiosa_npu
from tests.cluster import images
from tests.cluster.cluster import Cluster, stage
from tests.cluster.pods import ALPHA, PLAIN
from tests.cluster.simulation import FOLDER, Simulation

REPOSITORY = Path(__file__).parents[2]
IMAGE = f"furiosa-npu:{furiosa_npu.__version__}"
OVERLAY = REPOSITORY / "kubernetes/overlays/simulated"
DEPLOYMENTS = REPOSITORY / "kubernetes/deployments"
SCENARIO = REPOSITORY / "examples/scenarios/haps.yaml"
CARDS_A_NODE = 2
_IMAGE_INPUTS = (
    "Containerfile",
    ".containerignore",
    "requirements.txt",
    "pyproject.toml",
    "README.md",
    "src",
    "static",
)


def load_image(cluster: Cluster) -> None:
    """Builds the shipped image, unless it is in the cache, and puts it on every node."""
    with stage("the product's image"):
        inputs = tuple(name for name in _IMAGE_INPUTS if (REPOSITORY / name).exists())
        archive = images.product_archive(REPOSITORY, IMAGE, inputs)
        cluster.load(archive)


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
        """The pods of a DaemonSet by their node."""
        items = self.cluster.get("pods", "--namespace=kube-system")["items"]
        owned = [item for item in items if item["metadata"]["ownerReferences"][0]["name"] == name]
        return {item["spec"]["nodeName"]: item for item in owned}

    def in_plugin(self, node: str, *argv: str) -> str:
        """Standard output of a command run in the plugin's container on a node."""
        name = self.agents("furiosa-npu-plugin")[node]["metadata"]["name"]
        return self.cluster.kubectl("exec", "--namespace=kube-system", name, "--", *argv)

    def plugin_log(self, node: str) -> str:
        name = self.agents("furiosa-npu-plugin")[node]["metadata"]["name"]
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
        """Deletes the plugins' pods, all at once; returns when others are Ready."""
        name = "furiosa-npu-plugin"
        self.cluster.kubectl("delete", "pods", "--namespace=kube-system", f"--selector=app.kubernetes.io/name={name}")
        self.cluster.kubectl("rollout", "status", "--namespace=kube-system", f"daemonset/{name}")

    def allocatable(self, node: str, resource: str) -> int:
        """How many NPUs the scheduler may give out on a node under one name."""
        status = self.cluster.get("node", node)["status"]
        return int(status["allocatable"].get(resource, "0"))

    def wait_allocatable(self, node: str, resource: str, count: int, deadline_seconds: float = 40) -> None:
        self.cluster.wait(
            f"{count} x {resource} allocatable on {node}",
            lambda: self.allocatable(node, resource) == count,
            deadline_seconds,
        )

    def wait_until_offered(self) -> None:
        """All cards of both nodes can be asked for, under both names."""
        for node in self.npu_nodes:
            for resource in (ALPHA, PLAIN):
                self.wait_allocatable(node.name, resource, CARDS_A_NODE, deadline_seconds=90)
