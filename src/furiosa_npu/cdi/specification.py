"""A CDI specification as values, and as the JSON that a container runtime takes. Pure.

Source: the Container Device Interface (https://github.com/cncf-tags/container-device-interface), `SPEC.md` and
`specs-go/version.go`. A runtime refuses a whole file for one bad name or for a version that is older than its fields,
and every device of it is gone then: so nothing is rendered that the rules there do not allow.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from furiosa_npu.cdi.names import EXPECTED_DEVICE_NAME, EXPECTED_KIND, is_device_name, is_kind


class DeviceNode(NamedTuple):
    """A device file; major, minor and type are looked up by the runtime when a container is made."""

    path: str
    """in the container"""
    host_path: str
    permissions: str
    """of `r`, `w`, `m`, for the device cgroup; a runtime takes none for all three"""


class Mount(NamedTuple):
    host_path: str
    container_path: str
    options: tuple[str, ...]
    """as in mount(8); a bind mount has `bind` or `rbind` among them"""


class ContainerEdits(NamedTuple):
    device_nodes: tuple[DeviceNode, ...] = ()
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = {}


class Device(NamedTuple):
    name: str
    container_edits: ContainerEdits


class Specification(NamedTuple):
    kind: str
    """`vendor.com/class`"""
    devices: tuple[Device, ...]


class SpecificationError(ValueError):
    """What no runtime would take: what was found and what was expected."""


def minimum_version(specification: Specification) -> str:
    """The lowest `cdiVersion` that knows all that is used, so that the oldest runtimes take it."""
    if "." in specification.kind.partition("/")[2]:
        return "0.6.0"
    for device in specification.devices:
        if device.name[:1].isdigit() or any(
            node.host_path != node.path for node in device.container_edits.device_nodes
        ):
            return "0.5.0"
    return "0.3.0"


def to_document(specification: Specification) -> dict[str, Any]:
    """For JSON; what is empty is left out. Raises SpecificationError."""
    fault = next(_faults(specification), None)
    if fault is not None:
        raise SpecificationError(fault)
    return {
        "cdiVersion": minimum_version(specification),
        "kind": specification.kind,
        "devices": [
            {"name": device.name, "containerEdits": _edits(device.container_edits)} for device in specification.devices
        ],
    }


def to_text(specification: Specification) -> str:
    """The file's content. Raises SpecificationError."""
    return json.dumps(to_document(specification), indent=2) + "\n"


def _edits(edits: ContainerEdits) -> dict[str, Any]:
    parts: dict[str, list[Any]] = {
        "env": [f"{name}={value}" for name, value in edits.environment.items()],
        "deviceNodes": [_node(node) for node in edits.device_nodes],
        "mounts": [
            {"hostPath": mount.host_path, "containerPath": mount.container_path, "options": list(mount.options)}
            for mount in edits.mounts
        ],
    }
    return {name: part for name, part in parts.items() if part}


def _node(node: DeviceNode) -> dict[str, str]:
    host_path = {} if node.host_path == node.path else {"hostPath": node.host_path}
    return {"path": node.path, **host_path, "permissions": node.permissions}


def _faults(specification: Specification) -> Iterator[str]:
    """By the rules of the library that runtimes load specifications with (`pkg/cdi`, `Validate`)."""
    if not is_kind(specification.kind):
        yield f"kind: found '{specification.kind}', expected {EXPECTED_KIND}"
    if not specification.devices:
        yield f"devices of {specification.kind}: found none, expected one at least"
    for name, count in Counter(device.name for device in specification.devices).items():
        if not is_device_name(name):
            yield f"device: found the name '{name}', expected {EXPECTED_DEVICE_NAME}"
        if count > 1:
            yield f"device {name}: found {count} of that name, expected one"
    for device in specification.devices:
        edits = device.container_edits
        if not any(edits):
            yield f"device {device.name}: found nothing that a container gets, expected a device file or more"
        for fault in _faults_of(edits):
            yield f"device {device.name}, {fault}"


def _faults_of(edits: ContainerEdits) -> Iterator[str]:
    paths = [path for node in edits.device_nodes for path in (node.path, node.host_path)]
    paths += [path for mount in edits.mounts for path in (mount.host_path, mount.container_path)]
    for path in paths:
        if not path.startswith("/") or not path.isprintable():
            yield f"path: found {path!r}, expected an absolute one that can be printed"
    for node in edits.device_nodes:
        if not node.permissions or not set(node.permissions) <= set("rwm"):
            yield f"{node.path}: found the permissions '{node.permissions}', expected some of r, w and m"
    for name in edits.environment:
        if not name or "=" in name:
            yield f"environment: found the name '{name}', expected one without ="
