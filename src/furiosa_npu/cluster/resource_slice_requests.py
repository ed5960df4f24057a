"""The requests that read, write and delete the ResourceSlices of a driver on one node. Pure.

They are answered with the whole object: what was stored is read back.
"""

import json

from furiosa_npu.cluster.api import ApiRequest
from furiosa_npu.cluster.resource_slice_json import parse, render
from furiosa_npu.cluster.resource_slices import API_VERSION, Content, Owner, PoolState, Slice

_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")

SLICES = f"/apis/{API_VERSION}/resourceslices"


def list_slices(driver: str, node: str) -> ApiRequest:
    """All of the driver's slices of this node, of whatever pool. Raises ValueError for what is no name."""
    return ApiRequest("GET", f"{SLICES}?fieldSelector=spec.nodeName%3D{_name(node)}%2Cspec.driver%3D{_name(driver)}")


def slices_of(answer: object) -> tuple[Slice, ...]:
    """The slices of a list as the API server sent it. Raises ValueError where it is none."""
    items = answer.get("items", ()) if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or "metadata" not in answer or not isinstance(items or (), list | tuple):
        raise ValueError(f"the API server's answer: found {str(answer)[:80]}, expected a list of resourceslices")
    return tuple(parse(item) for item in items or ())


def create_slice(name: str, owner: Owner, pool: PoolState, content: Content) -> ApiRequest:
    """Raises ValueError for what is no name."""
    _name(name)
    return ApiRequest(
        "POST", SLICES, content_type="application/json", body=_json(render(name, owner, pool, content, None))
    )


def update_slice(before: Slice, owner: Owner, pool: PoolState, content: Content) -> ApiRequest:
    """Replaces `before`, unless somebody else has changed it since. Raises ValueError for what is no name."""
    body = _json(render(before.name, owner, pool, content, before.resource_version))
    return ApiRequest("PUT", f"{SLICES}/{_name(before.name)}", content_type="application/json", body=body)


def delete_slice(before: Slice) -> ApiRequest:
    """Deletes `before`, unless somebody else has changed it since. Raises ValueError for what is no name."""
    preconditions = {"uid": before.uid, "resourceVersion": before.resource_version}
    body = _json({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions})
    return ApiRequest("DELETE", f"{SLICES}/{_name(before.name)}", content_type="application/json", body=body)


def _name(text: str) -> str:
    """Node, driver and slice are named alike; the API server bounds no single label of theirs."""
    known = all(character in _CHARACTERS for character in text)
    if not 0 < len(text) <= 253 or not known or text[0] in "-." or text[-1] in "-.":
        raise ValueError(f"found '{text[:80]}', expected a name of up to 253 of a-z, 0-9, - and .")
    return text


def _json(body: dict[str, object]) -> str:
    return json.dumps(body, separators=(",", ":"), sort_keys=True)
