"""`kubelet_internal_checkpoint`: the kubelet's own record of which container holds which device.

Source: Kubernetes `pkg/kubelet/cm/devicemanager/checkpoint/` (1.20: `DeviceIDs` by NUMA node; before: a list). Unlike
pod-resources it also knows ordinary init containers, by the UID of the pod. It is written at each allocation and at
each list that a plugin sends, not when a pod ends.
"""

import json
from binascii import a2b_base64
from typing import Any, NamedTuple

from furiosa_npu.kubelet.wire import WireError, decode

FILE_NAME = "kubelet_internal_checkpoint"


class CheckpointError(ValueError):
    """The file is not what a kubelet writes; the message says which key was found how."""


class CheckpointEntry(NamedTuple):
    pod_uid: str
    container: str
    resource_name: str
    device_ids: tuple[str, ...]
    answer: str = ""
    """the plugin's, as `AllocResp` keeps it: a `ContainerAllocateResponse` in base64; empty where there is none"""

    @property
    def container_paths(self) -> tuple[str, ...]:
        """Of the device files in the answer; empty where it cannot be read. Read at each call."""
        # Resident memory: where nobody asks, or no device plugin served, its messages are not needed.
        from furiosa_npu.kubelet.deviceplugin_v1beta1 import SCHEMA, ContainerAllocateResponse

        try:
            answer: ContainerAllocateResponse = decode(ContainerAllocateResponse, a2b_base64(self.answer), SCHEMA)
        except (ValueError, WireError):
            return ()
        return tuple(device.container_path for device in answer.devices)


def parse_checkpoint(text: str) -> tuple[CheckpointEntry, ...]:
    """The entries of the file's text, in its order. Raises CheckpointError."""
    return tuple(_entry(entry) for entry in _expect(_data(text), "PodDeviceEntries", list, absent=[]))


def registered_resources(text: str) -> frozenset[str]:
    """The names that device plugins registered, until five minutes after their end, by the file's text.

    Raises CheckpointError.
    """
    return frozenset(map(str, _expect(_data(text), "RegisteredDevices", dict, absent={})))


def _data(text: str) -> Any:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"found {text[:40]!r}, expected JSON ({error})") from error
    return _expect(document, "Data", dict)


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
        answer if isinstance(answer := entry.get("AllocResp"), str) else "",
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
