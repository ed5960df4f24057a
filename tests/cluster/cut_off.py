"""A node as the API server shows it when its kubelet does not answer any more, with what agents wrote there before."""

import json
from typing import Any

from furiosa_npu.cluster.api import MANAGER
from tests.cluster.cluster import Cluster

_SYSTEM = "--namespace=kube-system"


class CutOffNode:
    """There is no machine: nobody starts or ends pods that are bound to it. Made at once, taken away by `end`."""

    def __init__(self, cluster: Cluster, name: str, labels: dict[str, str]) -> None:
        """`labels`: as the labeller wrote them."""
        self.name = name
        self._cluster = cluster
        room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        conditions = [{"type": "Ready", "status": "Unknown"}, {"type": "FuriosaNPUHealthy", "status": "True"}]
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name}},
            "status": {"capacity": room, "allocatable": room, "conditions": conditions},
        }
        cluster.kubectl("create", "--filename=-", stdin=json.dumps(node))
        told = (f"{label}={value}" for label, value in labels.items())
        cluster.kubectl("label", "node", name, *told, f"--field-manager={MANAGER}")

    def pods(self) -> list[str]:
        """Names of those in kube-system that are bound to it."""
        found: list[dict[str, Any]] = self._cluster.get("pods", _SYSTEM)["items"]
        return [pod["metadata"]["name"] for pod in found if pod["spec"].get("nodeName") == self.name]

    def end(self) -> None:
        """Its pods too, which no kubelet sees off."""
        self._cluster.kubectl("delete", "node", self.name)
        if pods := self.pods():
            self._cluster.kubectl("delete", "pods", _SYSTEM, *pods, "--force", "--grace-period=0")
