"""The place of chaos: a cluster of its own, two NPU nodes, small disks under their kubelets, the shipped product."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cache import cache_folder
from tests.cluster.chaos import overlay
from tests.cluster.chaos.api import Api, answered
from tests.cluster.chaos.plan import Site
from tests.cluster.cluster import Cluster, stage
from tests.cluster.commands import run
from tests.cluster.node import Node
from tests.cluster.pods import ALPHA, PLAIN
from tests.cluster.product import OVERLAY, load_image
from tests.cluster.releases import Release
from tests.cluster.simulation import Simulation

NODES = ("warboy-node01", "warboy-node02")
CARDS = ("npu0", "npu1", "npu2", "npu3")
SITE = Site(NODES, CARDS)
RESOURCES = (ALPHA, PLAIN)
LABELLER = "furiosa-npu-labeller"
AGENTS = 2 * len(NODES)
"""one that hands out cards and a labeller on each node"""
KUBELET_FOLDER = "/var/lib/kubelet"
_KUBELET_DISK = "32m"
_SCENARIO = Path(__file__).with_name("warboys.yaml")
_SHIM = Path(__file__).with_name("shim.c")
_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime", overlay.FAKETIME)


class ChaosCluster:
    """Up and all NPUs offered when it is made; ended by `close`. With the device plugin."""

    program = overlay.PLUGIN
    """the agent that hands out cards, and is struck"""
    sockets: tuple[str, ...] = ("device-plugins/furiosa-npu*.sock",)
    """where it serves, below the kubelet's folder"""

    def __init__(self, release: Release, binaries: Sequence[Path] = (), *, outlives_us: bool = False) -> None:
        self.cluster = Cluster(release, binaries, NODES, outlives_us=outlives_us)
        try:
            self._start()
        except BaseException:
            self.cluster.close()
            raise

    def _start(self) -> None:
        cluster = self.cluster
        self.nodes = {node.name: node for node in cluster.nodes}
        self.api = Api(cluster)
        load_image(cluster)
        with stage("small disks under the kubelets"):
            for node in cluster.nodes:
                _lay_small_disk(node)
        with stage("what is preloaded into the agents"):
            shim = cluster.run.folder / overlay.SHIM
            run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(shim), str(_SHIM)])
            for node in cluster.nodes:
                folder = node.path(overlay.FOLDER)
                folder.mkdir()
                shutil.copy(shim, folder)
                shutil.copy(_FAKETIME, folder)
                (folder / overlay.CLOCK).write_text("+0\n")
        self.simulations = {node.name: Simulation(node, _SCENARIO, cluster.run.logs) for node in cluster.nodes}
        with stage("their sysfs mounted"):
            for name, simulation in self.simulations.items():
                simulation.mount(overlay.MOUNTED, cluster.run.logs)
                cluster.wait(f"the mount on {name}", self.nodes[name].path(f"{overlay.MOUNTED}/class").exists)
        with stage("manifests applied, all NPUs offered"):
            changed = yaml.safe_dump_all(overlay.with_chaos(self.documents(), self.program))
            cluster.kubectl("apply", "--filename=-", stdin=changed)
            cluster.wait("all NPUs to be offered", answered(lambda: not self.not_offered()))
            cluster.wait("the agents to be Ready", answered(self.agents_ready))

    def group(self, node: str) -> str:
        """The cgroup of a node's pods."""
        return f"{self.cluster.run.cgroup}/{node}"

    def chaos_folder(self, node: str) -> Path:
        """Where the machine sees the folder that is `/chaos` in the agents."""
        return self.nodes[node].path(overlay.FOLDER)

    def documents(self) -> list[dict[str, Any]]:
        """What is applied, before chaos changes it."""
        return list(yaml.safe_load_all(self.cluster.kubectl("kustomize", str(OVERLAY))))

    def not_offered(self) -> str:
        """Empty: each node says that all its cards are allocatable under both names."""
        nodes = self.api.request("GET", "/api/v1/nodes")["items"]
        found = {node["metadata"]["name"]: node["status"]["allocatable"] for node in nodes}
        counts = [found.get(node, {}).get(resource) for node in NODES for resource in RESOURCES]
        return "" if counts == [str(len(CARDS))] * len(counts) else f"allocatable: {found}"

    def agent_pods(self) -> list[dict[str, Any]]:
        pods = self.api.request("GET", "/api/v1/namespaces/kube-system/pods")["items"]
        return [pod for pod in pods if pod["metadata"]["ownerReferences"][0]["name"] in (self.program, LABELLER)]

    def agents_ready(self) -> bool:
        pods = self.agent_pods()
        return len(pods) == AGENTS and all(map(is_ready, pods))

    def told_of(self, uid: str) -> str:
        """What the events say of an agent's pod; the API server keeps them for an hour."""
        path = "/api/v1/namespaces/kube-system/events?fieldSelector=involvedObject.uid%3D" + uid
        events = json.loads(self.cluster.kubectl("get", "--raw", path))["items"]
        return "".join(f"; {event['reason']}: {event['message']}" for event in events)

    def keep_logs(self) -> Path:
        """Out of the reach of later runs, which remove older runs' logs."""
        kept = cache_folder() / "chaos" / self.cluster.run.id
        return Path(shutil.copytree(self.cluster.run.logs, kept))

    def close(self) -> None:
        self.cluster.close()


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _lay_small_disk(node: Node) -> None:
    """A file system of its own, before any pod is there; it can be filled without filling the machine's."""
    node.kubelet.stop()
    node.run(["mount", "-t", "tmpfs", "-o", f"mode=755,size={_KUBELET_DISK}", "kubelet", KUBELET_FOLDER])
    node.kubelet.start()
