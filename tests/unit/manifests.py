"""The objects of kubernetes/deployments, for the tests that compare them."""

from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
DEPLOYMENTS = REPOSITORY / "kubernetes/deployments"

LABELLER_SET = "furiosa-npu-labeller"
PLUGIN_SETS = {"furiosa-npu-plugin": "warboy", "furiosa-npu-plugin-renegade": "renegade"}
"""DaemonSet to the family that its pods hand out"""
SETS = (LABELLER_SET, *PLUGIN_SETS)

DEV_VOLUME = {"name": "dev", "hostPath": {"path": "/dev", "type": "Directory"}}


def objects(*files: Path) -> list[dict[str, Any]]:
    """All objects of these files, in order."""
    return [found for file in files for found in yaml.safe_load_all(file.read_text())]


def shipped() -> list[dict[str, Any]]:
    """What `kubectl apply` of both files makes."""
    return objects(DEPLOYMENTS / "node-labeller.yaml", DEPLOYMENTS / "device-plugin.yaml")


def daemon_set(name: str) -> dict[str, Any]:
    (found,) = (o for o in shipped() if o["kind"] == "DaemonSet" and o["metadata"]["name"] == name)
    return found


def pod_of(name: str) -> dict[str, Any]:
    """The pod's specification in a DaemonSet."""
    spec: dict[str, Any] = daemon_set(name)["spec"]["template"]["spec"]
    return spec


def container_of(name: str) -> dict[str, Any]:
    """The one container of a DaemonSet's pod."""
    container: dict[str, Any]
    (container,) = pod_of(name)["containers"]
    return container
