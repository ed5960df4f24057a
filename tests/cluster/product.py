"""The product as a user installs it: the image built from the Containerfile, the manifests applied."""

from pathlib import Path

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
