"""CDI on the device plugin's plane: where kubelet and runtime take it, a card comes by its CDI device."""

import base64
import json
from typing import Any

import pytest

from tests.cluster.pods import ALPHA, npu_pod
from tests.cluster.product import Product
from tests.cluster.releases import KUBERNETES_1_37
from tests.cluster.workloads import Workloads

pytestmark = pytest.mark.only_on(
    KUBERNETES_1_37, why="1.20's kubelet drops cdi_devices: there a card comes by device specs"
)

NODE = "warboy-node01"
SPECIFICATION = "/var/run/cdi/furiosa.ai-npu.json"


def test_a_card_comes_by_the_cdi_device_of_the_nodes_specification(workloads: Workloads, product: Product) -> None:
    """The kubelet asked the runtime for the CDI device and for no device file; the container's own configuration has
    all files that the specification has for it.
    """
    known = "cards reach containers by CDI"  # until the plugin has asked what runs on its node, they do as device files
    product.cluster.wait("the plugin to give cards by CDI", lambda: known in product.plugin_log(NODE))
    workloads.run(npu_pod("by-cdi", {ALPHA: 1}, NODE))
    (npu,) = workloads.npus("by-cdi")
    uuid = product.uuid(NODE, npu)
    node = product.cluster.node(NODE)
    specification = json.loads(node.run(["cat", SPECIFICATION]))
    (edits,) = [one["containerEdits"] for one in specification["devices"] if one["name"] == uuid]
    (status,) = workloads.get("by-cdi")["status"]["containerStatuses"]
    container = status["containerID"].removeprefix("containerd://")
    info = json.loads(node.run(["ctr", "--namespace=k8s.io", "containers", "info", container]))
    asked = asked_for(info)
    assert asked["CDI_devices"] == [{"name": f"furiosa.ai/npu={uuid}"}]
    assert asked.get("devices", []) == []
    devices = {device["path"] for device in info["Spec"]["linux"]["devices"]}
    assert {file["path"] for file in edits["deviceNodes"]} <= devices


def asked_for(info: dict[str, Any]) -> dict[str, Any]:
    """The container as the kubelet asked for it: CRI's ContainerConfig, which containerd keeps with the container."""
    kept = info["Extensions"]["io.cri-containerd.container.metadata"]["value"]
    config: dict[str, Any] = json.loads(base64.b64decode(kept))["Metadata"]["Config"]
    return config
