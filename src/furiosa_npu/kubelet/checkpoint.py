"""`kubelet_internal_checkpoint`: the kubelet's own record of which container holds which device.

Source: Kubernetes `pkg/kubelet/cm/devicemanager/checkpoint/` (1.20: `DeviceIDs` by NUMA node; before: a list). Unlike
pod-resources it also knows ordinary init containers, by the UID of the pod. It is written at each allocation and at
each list that a plugin sends, not when a pod ends.
"""

import json
from typing import Any, NamedTuple

FILE_NAME = "kubelet_internal_checkpoint"


class CheckpointError(ValueError):
    """The file is not what a kubelet writes; the message says which key was found how."""


class CheckpointEntry(NamedTuple):
    pod_uid: str
    container: str
    resource_name: str
    device_ids: tuple[str, ...]


def parse_checkpoint(text: str) -> tuple[CheckpointEntry, ...]:
    """The entries of the file's text, in its order. Raises CheckpointError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"found {text[:40]!r}, expected JSON ({error})") from error
    entries = _expect(_expect(document, "Data", dict), "PodDeviceEntries", list, absent=[])
    return tuple(_entry(entry) for entry in entries)


def _entry(entry: Any) -> CheckpointEntry:
    by_numa = _expect(entry, "DeviceIDs", (dict, list), absent={})
    lists = by_numa.values() if isinstance(by_numa, dict) else [by_numa]
    ids: list[str] = []
    for found in lists:
        if not isinstance(found, list) or not all(isinstance(device, str) for device in found):
            raise CheckpointError(f"DeviceIDs is {str(by_numa)[:60]}, expected lists of strings")
        ids.extend(found)
    return CheckpointEntry(
        _expect(entry, "PodUID", str),
        _expect(entry, "ContainerName", str),
        _expect(entry, "ResourceName", str),
        tuple(ids),
    )


def _expect(holder: Any, key: str, kinds: type | tuple[type, ...], absent: Any = None) -> Any:
    if not isinstance(holder, dict):
        raise CheckpointError(f"found {str(holder)[:40]!r} where an object with {key} was expected")
    value = holder.get(key)
    if value is None and absent is not None:
        return absent
    if not isinstance(value, kinds):
        raise CheckpointError(f"{key} is {str(value)[:40]!r}, expected {kinds}")
    return value
