"""Pods as far as the kubelet's device manager looks at them: containers and the devices that they ask for."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]


class Container(NamedTuple):
    name: str
    limits: Mapping[str, int]
    """`resources.limits`: how many devices of which resource"""


class Pod(NamedTuple):
    uid: str
    name: str
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    namespace: str = "default"

    @property
    def all_containers(self) -> tuple[Container, ...]:
        """In the order in which the kubelet admits and starts them."""
        return self.init_containers + self.containers


class PodStatus(NamedTuple):
    """`status` of a pod, as `kubectl get pod` and `kubectl describe pod` tell it."""

    phase: Phase
    reason: str = ""
    message: str = ""


class ManifestError(ValueError):
    """A pod manifest that cannot be read as one; says which field, what was found and what was expected."""


def requests(pod: Pod) -> dict[str, int]:
    """What the scheduler counts for the pod: app containers together, or the largest init container if that is more."""
    counted: dict[str, int] = {}
    for container in pod.containers:
        for resource, count in container.limits.items():
            counted[resource] = counted.get(resource, 0) + count
    for container in pod.init_containers:
        for resource, count in container.limits.items():
            counted[resource] = max(counted.get(resource, 0), count)
    return counted


def parse_pod(manifest: str, uid: str) -> Pod:
    """The pod of a YAML manifest (core/v1 Pod); what no device manager reads is left aside. Raises ManifestError."""
    import yaml

    try:
        document = yaml.safe_load(manifest)
    except yaml.YAMLError as error:
        raise ManifestError(f"the manifest is no YAML: {error}") from error
    metadata = _object(document, "", "metadata")
    spec = _object(document, "", "spec")
    return Pod(
        uid,
        str(metadata.get("name")),
        _containers(spec, "containers"),
        _containers(spec, "initContainers"),
        str(metadata.get("namespace", "default")),
    )


def _containers(spec: Mapping[str, Any], field: str) -> tuple[Container, ...]:
    found = spec.get(field, [])
    if not isinstance(found, list):
        raise ManifestError(f"spec.{field}: found {found!r}, expected a list")
    return tuple(_container(container, f"spec.{field}[{place}]") for place, container in enumerate(found))


def _container(container: Any, where: str) -> Container:
    limits = _object(_object(container, where, "resources", absent=True), f"{where}.resources", "limits", absent=True)
    devices = {resource: count for resource, count in limits.items() if "/" in resource}
    return Container(
        str(container.get("name")),
        {resource: _count(count, f"{where}.resources.limits[{resource}]") for resource, count in devices.items()},
    )


def _count(found: Any, where: str) -> int:
    try:
        count = float(found)
    except (TypeError, ValueError):
        count = math.nan
    if not count.is_integer() or count < 0:
        raise ManifestError(f"{where}: found {found!r}, expected a whole number of devices")
    return int(count)


def _object(holder: Any, where: str, field: str, *, absent: bool = False) -> Mapping[str, Any]:
    if not isinstance(holder, dict):
        raise ManifestError(f"{where or 'the manifest'}: found {str(holder)[:40]!r}, expected an object with {field}")
    found = holder.get(field, {} if absent else None)
    if not isinstance(found, dict):
        raise ManifestError(f"{where}{'.' if where else ''}{field}: found {str(found)[:40]!r}, expected an object")
    return found
