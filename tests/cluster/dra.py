"""The product on the DRA plane: simulated Warboys on two nodes, the labeller, the DRA driver and its DeviceClasses."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml

from tests.cluster.cluster import Cluster, stage
from tests.cluster.product import DEPLOYMENTS, OVERLAY, SCENARIO, load_image
from tests.cluster.simulation import FOLDER, Simulation

DRIVER = "npu.furiosa.ai"
DAEMON_SET = "furiosa-npu-dra-driver"
CLASSES = DEPLOYMENTS / "device-classes.yaml"
CDI_FOLDER = "/run/cdi"
"""`/var/run/cdi` of a node; a file system of its own here"""
STATE_FILE = "/var/lib/furiosa-npu/dra/prepared.json"


class DraProduct:
    """On a cluster of its own."""

    def __init__(self, cluster: Cluster, *options: str, devices_a_node: int = 6) -> None:
        """`options` of the driver beside its roots; `devices_a_node`: two cards with two parts each, or without."""
        self.cluster = cluster
        load_image(cluster)
        self.nodes = [node.name for node in cluster.nodes if node.name.startswith("warboy")]
        self.simulations = {name: Simulation(cluster.node(name), SCENARIO, cluster.run.logs) for name in self.nodes}
        cluster.node("plain-node01").run(["mkdir", "-p", f"{FOLDER}/dev", f"{FOLDER}/sys"])
        for name in self.nodes:
            cluster.node(name).shell(f"mkdir -p {CDI_FOLDER}; mount -t tmpfs -o size=256k cdi {CDI_FOLDER}")
        with stage("labels, DeviceClasses and the DRA driver"):
            cluster.kubectl("apply", f"--kustomize={OVERLAY}", "--selector=app.kubernetes.io/name!=furiosa-npu-plugin")
            cluster.kubectl("delete", "daemonset", "--namespace=kube-system", "furiosa-npu-plugin-renegade", "--wait")
            cluster.kubectl("apply", f"--filename={CLASSES}")
            self.update(*options)
            cluster.wait(
                "devices of all nodes",
                lambda: all(len(self.devices(node)) == devices_a_node for node in self.nodes),
            )

    def update(self, *options: str) -> None:
        """Applies the driver with these options beside its roots; returns when all its pods have them."""
        self.cluster.kubectl("apply", "--filename=-", stdin=json.dumps(as_list(driver_objects(*options))))
        self.wait_ready()

    @contextmanager
    def failing(self, node: str, npu: str) -> Iterator[None]:
        """The card is not alive meanwhile; tainted from the beginning on."""
        name = self.device(node, npu)
        self.simulations[node].tell("fail", npu)
        try:
            self.cluster.wait(f"{npu} of {node} to be tainted", lambda: self.devices(node).get(name, {}).get("taints"))
            yield
        finally:
            self.simulations[node].tell("recover", npu)

    def slices(self, node: str) -> list[dict[str, Any]]:
        """Of one node, by name."""
        items = self.cluster.get("resourceslices", f"--field-selector=spec.nodeName={node}")["items"]
        return sorted(items, key=lambda item: str(item["metadata"]["name"]))

    def devices(self, node: str) -> dict[str, dict[str, Any]]:
        """By name without `npu-` and the UUID's first digits: `f0c0-pe0`."""
        devices = [device for item in self.slices(node) for device in item["spec"].get("devices", ())]
        return {device["name"]: device for device in devices}

    def device(self, node: str, npu: str, part: str = "") -> str:
        """The device's name, e.g. of npu0's pe0."""
        folder = self.cluster.node(node).path(f"{FOLDER}/sys/class/npu_mgmt/{npu}_mgmt")
        uuid = (folder / "device_uuid").read_text().strip().lower()
        return f"npu-{uuid}-{part}" if part else f"npu-{uuid}"

    def driver(self, node: str) -> str:
        """The name of the driver's pod on a node, once it is the only one there that is not about to end."""
        return self.cluster.wait(
            f"a driver's pod on {node}", lambda: found[0] if len(found := self._drivers(node)) == 1 else None
        )

    def _drivers(self, node: str) -> list[str]:
        items = self.cluster.get("pods", "--namespace=kube-system", f"--selector=app.kubernetes.io/name={DAEMON_SET}")
        there = [item for item in items["items"] if item["spec"].get("nodeName") == node]
        return [str(pod["metadata"]["name"]) for pod in there if "deletionTimestamp" not in pod["metadata"]]

    def log(self, node: str) -> str:
        return self.cluster.kubectl("logs", "--namespace=kube-system", self.driver(node))

    def restart(self) -> None:
        """New instances take the place of those that are there."""
        self.cluster.kubectl("rollout", "restart", "--namespace=kube-system", f"daemonset/{DAEMON_SET}")
        self.wait_ready()

    def wait_ready(self) -> None:
        """The last update has reached all nodes: there is no older pod any more."""
        self.cluster.kubectl("rollout", "status", "--namespace=kube-system", f"daemonset/{DAEMON_SET}")


def driver_objects(*options: str) -> list[dict[str, Any]]:
    """The shipped manifest's objects, the DaemonSet last. The driver looks at a simulated tree, as the shipped overlay
    has it for the others, and asks the API server without delay: two nodes are no crowd. Both are updated at once, each
    as the manifest says.
    """
    *others, daemon_set = yaml.safe_load_all((DEPLOYMENTS / "dra-driver.yaml").read_text())
    daemon_set["spec"]["updateStrategy"]["rollingUpdate"]["maxSurge"] = "100%"
    spec = daemon_set["spec"]["template"]["spec"]
    container = spec["containers"][0]
    roots = (f"--devfs-root={FOLDER}/dev", f"--sysfs-root={FOLDER}/sys")
    container["args"] += [*roots, *options]
    for mount in container["volumeMounts"]:
        if mount["name"] == "dev":
            mount["mountPath"] = FOLDER
    for volume in spec["volumes"]:
        if volume["name"] == "dev":
            volume["hostPath"]["path"] = FOLDER
    return [*others, daemon_set]


def as_list(objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}
