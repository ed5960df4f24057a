"""ResourceClaimTemplates, DeviceClasses, and pods that use them, as the tests write them."""

from collections.abc import Mapping, Sequence
from typing import Any

API_VERSION = "resource.k8s.io/v1"


def request(name: str, device_class: str, count: int = 1, **more: Any) -> dict[str, Any]:
    """One entry of a claim's requests; `more` beats what it has by itself."""
    exactly = {"deviceClassName": device_class, "allocationMode": "ExactCount", "count": count}
    return {"name": name, "exactly": exactly | more}


def admin_request(name: str, device_class: str) -> dict[str, Any]:
    """For all devices of a node, whoever has them and however they are."""
    exactly = {
        "deviceClassName": device_class,
        "allocationMode": "All",
        "adminAccess": True,
        "tolerations": [{"operator": "Exists"}],
    }
    return {"name": name, "exactly": exactly}


def template(
    name: str, requests: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Of claims with these requests; `parameters`: of an NpuConfig for all of them."""
    devices: dict[str, Any] = {"requests": list(requests)}
    if parameters is not None:
        whole = {"apiVersion": "npu.furiosa.ai/v1alpha1", "kind": "NpuConfig", **parameters}
        devices["config"] = [{"opaque": {"driver": "npu.furiosa.ai", "parameters": whole}}]
    return {
        "apiVersion": API_VERSION,
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": {"spec": {"devices": devices}},
    }


def claim_template(name: str, device_class: str, count: int = 1) -> dict[str, Any]:
    """Of claims with a request `npu`."""
    return template(name, [request("npu", device_class, count)])


def claim(name: str, device_class: str, count: int = 1) -> dict[str, Any]:
    """A claim that is there by itself, with a request `npu`; pods may share it."""
    spec = {"devices": {"requests": [request("npu", device_class, count)]}}
    return {"apiVersion": API_VERSION, "kind": "ResourceClaim", "metadata": {"name": name}, "spec": spec}


def device_class(name: str, expression: str) -> dict[str, Any]:
    """Of the devices for which a CEL expression is true."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DeviceClass",
        "metadata": {"name": name},
        "spec": {"selectors": [{"cel": {"expression": expression}}]},
    }


def claiming(pod: dict[str, Any], template: str) -> dict[str, Any]:
    """The pod, each of its containers with the claim made from the template."""
    return _with_claim(pod, {"name": "npu", "resourceClaimTemplateName": template})


def claiming_by_name(pod: dict[str, Any], claim: str) -> dict[str, Any]:
    """The pod, each of its containers with a claim that is there already."""
    return _with_claim(pod, {"name": "npu", "resourceClaimName": claim})


def _with_claim(pod: dict[str, Any], claim: dict[str, str]) -> dict[str, Any]:
    pod["spec"]["resourceClaims"] = [claim]
    for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
        container["resources"] = {"claims": [{"name": claim["name"]}]}
    return pod
