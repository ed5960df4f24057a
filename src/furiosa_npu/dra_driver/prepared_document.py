"""What is prepared, as a JSON document with a version and a checksum, both ways. Pure.

    {"version": 1, "checksum": "crc32:1c291ca3", "claims": {UID: {...}}}

The checksum is CRC-32 (ISO-HDLC) over the claims as `canonical` writes them: it tells a torn or damaged file, and is no
guard against one who can write it.
"""

import json
from typing import Any

from furiosa_npu.allocation.container_edits import DeviceNode, Mount
from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.fields import FieldError, Fields, wrong
from furiosa_npu.dra_driver.prepared import PreparedClaim, PreparedDevice, PreparedRequest, State
from furiosa_npu.watch.claimed_cards import VERSION, checksum


class NewerVersion(ValueError):
    """The document is a later driver's, and whole for all that is known."""


def to_text(state: State) -> str:
    """The document; equal states give equal texts."""
    claims = {uid: _claim_entry(claim) for uid, claim in sorted(state.items())}
    return json.dumps({"version": VERSION, "checksum": checksum(claims), "claims": claims}, indent=1) + "\n"


def from_text(text: str) -> State:
    """The state. Raises FieldError for what is no such document, and NewerVersion."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FieldError(f"found {text[:40]!r}, expected JSON ({error})") from error
    fields = Fields.of("", document)
    version = fields.number("version")
    if version > VERSION:
        raise NewerVersion(f"version: found {version}, expected {VERSION}, the latest that this driver knows")
    if version != VERSION:
        raise wrong("version", version, str(VERSION))
    claims = fields.inner("claims")
    expected = checksum(claims.content)
    if fields.text("checksum") != expected:
        raise wrong("checksum", fields.text("checksum"), expected)
    state = {}
    for uid in claims.content:
        claim = _claim(claims.inner(uid))
        if claim.named.uid != uid:
            raise wrong(f"{claims.at(uid)}.uid", claim.named.uid, uid)
        state[uid] = claim
    return state


def request_entry(request: PreparedRequest) -> dict[str, Any]:
    """A request as the document has it."""
    return {
        "name": request.name,
        "devices": [_device_entry(device) for device in request.devices],
        "environment": dict(request.environment),
        "mounts": [list(mount) for mount in request.mounts],
    }


def _claim_entry(claim: PreparedClaim) -> dict[str, Any]:
    requests = [request_entry(request) for request in claim.requests]
    return claim.named._asdict() | {"boot_id": claim.boot_id, "requests": requests}


def _device_entry(device: PreparedDevice) -> dict[str, Any]:
    return device._asdict() | {"pes": list(device.pes), "device_nodes": [list(node) for node in device.device_nodes]}


def _claim(fields: Fields) -> PreparedClaim:
    fields.only("namespace", "name", "uid", "boot_id", "requests")
    named = ClaimName(fields.text("namespace"), fields.text("name"), fields.text("uid"))
    return PreparedClaim(named, fields.text("boot_id"), tuple(map(_request, fields.objects("requests"))))


def _request(fields: Fields) -> PreparedRequest:
    fields.only("name", "devices", "environment", "mounts")
    environment = fields.inner("environment")
    for name, value in environment.content.items():
        if not isinstance(value, str):
            raise wrong(environment.at(name), value, "a text")
    return PreparedRequest(
        fields.text("name"),
        tuple(map(_device, fields.objects("devices"))),
        dict(environment.content),
        tuple(Mount(*pair) for pair in _pairs(fields, "mounts")),
    )


def _device(fields: Fields) -> PreparedDevice:
    fields.only(*PreparedDevice._fields)
    pes = fields.entries("pes")
    if not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in pes):
        raise wrong(fields.at("pes"), list(pes), "whole numbers from 0")
    return PreparedDevice(
        request=fields.text("request"),
        pool=fields.text("pool"),
        device=fields.text("device"),
        share_id=fields.optional_text("share_id"),
        admin_access=fields.flag("admin_access"),
        card_id=fields.text("card_id"),
        uuid=fields.optional_text("uuid"),
        place=fields.text("place"),
        pes=pes,
        device_nodes=tuple(DeviceNode(*pair) for pair in _pairs(fields, "device_nodes")),
    )


def _pairs(fields: Fields, key: str) -> list[tuple[str, str]]:
    """Paths on the host and in the container."""
    pairs = []
    for number, found in enumerate(fields.entries(key)):
        if not isinstance(found, list) or len(found) != 2 or not all(isinstance(path, str) for path in found):
            raise wrong(f"{fields.at(key)}[{number}]", found, "a path on the host and one in the container")
        pairs.append((found[0], found[1]))
    return pairs
