"""`status.devices` of a claim: what its user sees of the devices it holds. Pure.

Written by server-side apply, to which alone the list is a map by driver, pool, device and shareID: a merge patch and a
strategic merge patch replace it whole, and other drivers' entries with it (`types.go` gives it no patch strategy).
What an apply leaves out of its own earlier entries is removed, so all of a claim's devices are said at once.

Rights: `patch` of `resourceclaims/status`; from Kubernetes 1.36 on also `associated-node:patch` of
`resourceclaims/driver` with the driver's name as resource name, which holds for the token of a pod on the claim's node
(`pkg/registry/resource/utils.go`, AuthorizedForDeviceStatus).
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from furiosa_npu.cluster.api import METADATA_ONLY, ApiRequest, rfc3339
from furiosa_npu.dra_driver.claim import API_VERSION, KIND
from furiosa_npu.dra_driver.fields import Fields
from furiosa_npu.dra_driver.prepared import PreparedClaim, PreparedDevice

FIELD_MANAGER = "furiosa-npu-dra-driver"
MAXIMUM_MESSAGE_CHARACTERS = 1024
"""the API takes 32768; a person reads this"""


Began = Mapping[tuple[str, str], str]
"""By device and status of its condition Ready, since when it has that status, as the API server writes times."""


class Said(NamedTuple):
    """What `status.devices` says of one driver's devices."""

    entries: frozenset[str]
    """to be compared: a text for each device, without when a condition began"""
    began: Began


class Ready(NamedTuple):
    """The condition `Ready` of one device."""

    status: bool
    reason: str
    """one word in CamelCase"""
    message: str
    since: float
    """seconds since 1970, when what is told of the device was so first"""


_NOT_SAID_YET: Began = {}


def apply_status(
    claim: PreparedClaim, driver: str, ready: Mapping[str, Ready], began: Began = _NOT_SAID_YET
) -> ApiRequest:
    """Says what is to be said of the claim's devices, `ready` by device. Raises ValueError for what is no claim's name.

    `began`: of what stands there; a condition that keeps its status keeps that time, whatever else of it is new. With
    the UID, so that it is refused where another claim has that name by now.
    """
    named = claim.named
    if named.fault is not None:
        raise ValueError(named.fault)
    body = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"namespace": named.namespace, "name": named.name, "uid": named.uid},
        "status": _status(claim, driver, ready, began),
    }
    path = (
        f"/apis/{API_VERSION}/namespaces/{named.namespace}/resourceclaims/{named.name}/status"
        f"?fieldManager={FIELD_MANAGER}&force=true"
    )
    text = json.dumps(body, separators=(",", ":"), sort_keys=True)
    return ApiRequest("PATCH", path, METADATA_ONLY, "application/apply-patch+yaml", text)


def to_say(claim: PreparedClaim, driver: str, ready: Mapping[str, Ready], began: Began = _NOT_SAID_YET) -> Said:
    """What `apply_status` says."""
    return said(Fields("status", _status(claim, driver, ready, began)), driver)


def said(status: Fields, driver: str) -> Said:
    """What a claim's status says. Raises FieldError."""
    ours = [entry for entry in status.objects("devices") if entry.text("driver") == driver]
    began = {
        (entry.text("device"), condition.text("status")): condition.text("lastTransitionTime")
        for entry in ours
        for condition in entry.objects("conditions")
    }
    return Said(frozenset(map(_entry_to_compare, ours)), began)


def _entry_to_compare(entry: Fields) -> str:
    return json.dumps(
        {**entry.content, "conditions": list(map(_timeless, entry.objects("conditions")))}, sort_keys=True
    )


def _timeless(condition: Fields) -> dict[str, Any]:
    return {key: value for key, value in condition.content.items() if key != "lastTransitionTime"}


def _status(claim: PreparedClaim, driver: str, ready: Mapping[str, Ready], began: Began) -> dict[str, Any]:
    """A device that two requests share (admin access) is said once."""
    once = {(device.pool, device.device, device.share_id): device for device in claim.devices}
    return {"devices": [_entry(device, driver, ready.get(device.device), began) for device in once.values()]}


def _entry(device: PreparedDevice, driver: str, ready: Ready | None, began: Began) -> dict[str, Any]:
    entry: dict[str, Any] = {"driver": driver, "pool": device.pool, "device": device.device, "data": _data(device)}
    if device.share_id is not None:
        entry["shareID"] = device.share_id
    if ready is not None:
        status = "True" if ready.status else "False"
        entry["conditions"] = [
            {
                "type": "Ready",
                "status": status,
                "reason": ready.reason,
                "message": ready.message[:MAXIMUM_MESSAGE_CHARACTERS],
                "lastTransitionTime": began.get((device.device, status)) or rfc3339(ready.since),
            }
        ]
    return entry


def _data(device: PreparedDevice) -> dict[str, Any]:
    data: dict[str, Any] = {
        "deviceFiles": [node.container_path for node in device.device_nodes],
        "pes": list(device.pes),
    }
    if device.uuid is not None:
        data["uuid"] = device.uuid
    return data
