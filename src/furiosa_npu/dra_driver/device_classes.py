"""The DeviceClasses that stand for extended resources: whether a pod that asks for one in its limits is served. Pure.

A closed feature gate (DRAExtendedResource, on by default from Kubernetes 1.36 on) drops `extendedResourceName` without
a word when a class is applied.
"""

from collections.abc import Mapping

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.resource_slices import API_VERSION
from furiosa_npu.dra_driver.publication_trouble import Notice

EXTENDED_RESOURCES = {"npu.furiosa.ai": "furiosa.ai/npu", "alpha-npu.furiosa.ai": "alpha.furiosa.ai/npu"}
"""class to the resource that it stands for"""

LIST_CLASSES = ApiRequest("GET", f"/apis/{API_VERSION}/deviceclasses")


def lacking(answer: Answer) -> tuple[Notice, ...]:
    """What of the classes is not there; an answer that says nothing of them is no lack."""
    items = answer.body.get("items") if answer.status == 200 and isinstance(answer.body, dict) else None
    if not isinstance(items, list):
        return ()
    found = {_name(item): _spec(item) for item in items}
    notices = []
    for name, resource in EXTENDED_RESOURCES.items():
        if name not in found:
            text = f"there is no DeviceClass {name}, which pods that ask for {resource} need (device-classes.yaml)"
            notices.append(Notice("warning", text, "NPUDeviceClassMissing"))
        elif not found[name].get("extendedResourceName"):
            text = (
                f"DeviceClass {name} has no extendedResourceName: the API server dropped it (feature gate "
                f"DRAExtendedResource); claims are served, pods that ask for {resource} are not"
            )
            notices.append(Notice("warning", text, "NPUExtendedResourceOff"))
    return tuple(notices)


def _name(item: object) -> str:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return str(metadata.get("name")) if isinstance(metadata, dict) else ""


def _spec(item: object) -> Mapping[str, object]:
    spec = item.get("spec") if isinstance(item, dict) else None
    return spec if isinstance(spec, dict) else {}
