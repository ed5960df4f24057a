"""Writes and reads back `kubelet_internal_checkpoint` in the form of Kubernetes 1.20.

Source: `pkg/kubelet/cm/devicemanager/checkpoint/checkpoint.go`. Its checksum is Go's FNV-1a over Go's own print form of
the data; nobody but a kubelet checks it, and this one takes it over the JSON text.
"""

import base64
import json
import os
from collections.abc import Mapping

from furiosa_npu.demo.device_books import Allotment, DeviceBooks, Place
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.deviceplugin_v1beta1 import HEALTHY, Device
from furiosa_npu.kubelet.wire import decode, encode


def render(books: DeviceBooks) -> str:
    """The file's text: who was allotted what, and the healthy devices of each resource."""
    data = {
        "PodDeviceEntries": [
            {
                "PodUID": place.pod_uid,
                "ContainerName": place.container,
                "ResourceName": place.resource,
                "DeviceIDs": _by_numa_node(allotment.devices, books.lists.get(place.resource, {})),
                "AllocResp": base64.b64encode(encode(allotment.answer, v1beta1.SCHEMA)).decode(),
            }
            for place, allotment in books.allotments.items()
        ],
        "RegisteredDevices": {
            resource: [device.id for device in devices.values() if device.health == HEALTHY]
            for resource, devices in books.lists.items()
        },
    }
    return json.dumps({"Data": data, "Checksum": _fnv1a(json.dumps(data).encode())}, separators=(",", ":"))


def restore(path: str, books: DeviceBooks) -> None:
    """Into the books of a kubelet that starts: allotments, and resources without a device until a plugin is back."""
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        data = json.load(file)["Data"]
    for entry in data["PodDeviceEntries"]:
        place = Place(entry["PodUID"], entry["ContainerName"], entry["ResourceName"])
        answer = decode(v1beta1.ContainerAllocateResponse, base64.b64decode(entry["AllocResp"]), v1beta1.SCHEMA)
        books.allotments[place] = Allotment(tuple(id for ids in entry["DeviceIDs"].values() for id in ids), answer)
    for resource in data["RegisteredDevices"]:
        books.listed(resource, ())


def write(path: str, text: str) -> None:
    """Beside, then renamed, as the kubelet's store does."""
    beside = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.new")
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(beside, path)


def _by_numa_node(ids: tuple[str, ...], devices: Mapping[str, Device]) -> dict[str, list[str]]:
    """A device without a NUMA node stands under node 0, as 1.20 has it."""
    by_node: dict[str, list[str]] = {}
    for device_id in ids:
        device = devices.get(device_id)
        topology = None if device is None else device.topology
        nodes = [node.id for node in topology.nodes] if topology is not None else []
        for node in nodes or [0]:
            by_node.setdefault(str(node), []).append(device_id)
    return by_node


def _fnv1a(data: bytes) -> int:
    """FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/)."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
