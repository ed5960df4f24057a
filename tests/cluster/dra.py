"""The product on the DRA plane: simulated Warboys on two nodes, the labeller, the DRA driver and its DeviceClasses."""

import json
from typing import Any

import yaml

from tests.cluster.cluster import Cluster, stage
from tests.cluster.product import DEPLOYMENTS, OVERLAY, SCENARIO, load_image
from tests.cluster.simulation import FOLDER, Simulation

DRIVER = "npu.furiosa.ai"
DAEMON_SET = "furiosa-npu-dra-driver"
CLASSES = DEPLOYMENTS / "device-classes.yaml"


class DraProduct:
    """On a cluster of its own."""

    def __init__(self, cluster: Cluster, *options: str) -> None:
        """`options` of the driver beside its roots."""
        self.cluster = cluster
        load_image(cluster)
        self.nodes = [node.name for node in cluster.nodes if node.name.startswith("warboy")]
        self.simulations = {name: Simulation(cluster.node(name), SCENARIO, cluster.run.logs) for name in self.nodes}
        cluster.node("plain-node01").run(["mkdir", "-p", f"{FOLDER}/dev", f"{FOLDER}/sys"])
        with stage("labels, DeviceClasses and the DRA driver"):
            cluster.kubectl("apply", f"--kustomize={OVERLAY}", "--selector=app.kubernetes.io/name!=furiosa-npu-plugin")
            cluster.kubectl("delete", "daemonset", "--namespace=kube-system", "furiosa-npu-plugin-renegade", "--wait")
            cluster.kubectl("apply", f"--filename={CLASSES}")
            cluster.kubectl("apply", "--filename=-", stdin=json.dumps(_with_simulated_roots(options)))
            cluster.wait("devices of both nodes", lambda: all(len(self.devices(node)) == 6 for node in self.nodes), 60)
            self.wait_ready()

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
        """The name of the driver's pod on a node."""
        items = self.cluster.get("pods", "--namespace=kube-system", f"--selector=app.kubernetes.io/name={DAEMON_SET}")
        (name,) = [item["metadata"]["name"] for item in items["items"] if item["spec"]["nodeName"] == node]
        return str(name)

    def wait_ready(self) -> None:
        self.cluster.kubectl("rollout", "status", "--namespace=kube-system", f"daemonset/{DAEMON_SET}")


def claim_template(name: str, device_class: str, count: int = 1) -> dict[str, Any]:
    """Of claims with a request `npu`."""
    exactly = {"deviceClassName": device_class, "allocationMode": "ExactCount", "count": count}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": {"spec": {"devices": {"requests": [{"name": "npu", "exactly": exactly}]}}},
    }


def claiming(pod: dict[str, Any], template: str) -> dict[str, Any]:
    """The pod, each of its containers with the claim made from the template."""
    pod["spec"]["resourceClaims"] = [{"name": "npu", "resourceClaimTemplateName": template}]
    for container in pod["spec"]["containers"]:
        container["resources"] = {"claims": [{"name": "npu"}]}
    return pod


def _with_simulated_roots(options: tuple[str, ...]) -> dict[str, Any]:
    """The shipped manifest; the driver looks at a simulated tree, as the shipped overlay has it for the others."""
    objects = list(yaml.safe_load_all((DEPLOYMENTS / "dra-driver.yaml").read_text()))
    (daemon_set,) = [one for one in objects if one["kind"] == "DaemonSet"]
    spec = daemon_set["spec"]["template"]["spec"]
    container = spec["containers"][0]
    container["args"] = [f"--devfs-root={FOLDER}/dev", f"--sysfs-root={FOLDER}/sys", *options]
    for mount in container["volumeMounts"]:
        if mount["name"] == "dev":
            mount["mountPath"] = FOLDER
    for volume in spec["volumes"]:
        if volume["name"] == "dev":
            volume["hostPath"]["path"] = FOLDER
    return {"apiVersion": "v1", "kind": "List", "items": objects}
