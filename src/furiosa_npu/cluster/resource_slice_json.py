"""A ResourceSlice as JSON, both ways. Pure."""

from typing import Any

from furiosa_npu.cluster.quantity import format_quantity, parse_quantity
from furiosa_npu.cluster.resource_slices import (
    API_VERSION,
    KIND,
    AttributeValue,
    Content,
    Counters,
    Device,
    Owner,
    PoolState,
    Slice,
    Taint,
    Version,
)


def render(name: str, owner: Owner, pool: PoolState, content: Content, resource_version: str | None) -> dict[str, Any]:
    """The object; `resource_version`: of the one in whose place it is put."""
    metadata: dict[str, Any] = {
        "name": name,
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": owner.node, "uid": owner.node_uid, "controller": True}
        ],
    }
    if resource_version is not None:
        metadata["resourceVersion"] = resource_version
    spec: dict[str, Any] = {
        "driver": owner.driver,
        "nodeName": owner.node,
        "pool": {"name": owner.node, "generation": pool.generation, "resourceSliceCount": pool.slice_count},
    }
    if content.counter_sets:
        spec["sharedCounters"] = [
            {"name": set_name, "counters": _amounts(counters)} for set_name, counters in content.counter_sets.items()
        ]
    else:
        spec["devices"] = [_device(device) for device in content.devices]
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def parse(item: object) -> Slice:
    """A slice as the API server sends it; what is not known here is passed over.

    One whose specification is not as ours are has no content, and can be replaced or deleted all the same. Raises
    ValueError for what is no object of the API server.
    """
    metadata = item.get("metadata") if isinstance(item, dict) else None
    told = [metadata.get(key) for key in ("name", "uid", "resourceVersion")] if isinstance(metadata, dict) else []
    if not isinstance(item, dict) or not told or not all(isinstance(text, str) and text for text in told):
        raise ValueError(f"the API server's answer: found {str(item)[:80]}, expected a {KIND}")
    name, uid, resource_version = map(str, told)
    owner, pool, content = None, PoolState(0, 0), None
    try:
        spec = item["spec"]
        pool = PoolState(int(spec["pool"]["generation"]), int(spec["pool"]["resourceSliceCount"]))
        owner = _parse_owner(item["metadata"], spec)
        content = _parse_content(spec)
    except (KeyError, TypeError, AttributeError, ValueError):
        return Slice(name, uid, resource_version, owner, pool, None)
    return Slice(name, uid, resource_version, owner, pool, content)


def _device(device: Device) -> dict[str, Any]:
    rendered: dict[str, Any] = {
        "name": device.name,
        "attributes": {name: _attribute(value) for name, value in device.attributes.items()},
        "capacity": _amounts(device.capacity),
    }
    if device.consumes:
        rendered["consumesCounters"] = [
            {"counterSet": name, "counters": _amounts(counters)} for name, counters in device.consumes.items()
        ]
    if device.taints:
        rendered["taints"] = [_taint(taint) for taint in device.taints]
    return rendered


def _attribute(value: AttributeValue) -> dict[str, Any]:
    if isinstance(value, Version):
        return {"version": value.text}
    if isinstance(value, bool):
        return {"bool": value}
    return {"int": value} if isinstance(value, int) else {"string": value}


def _amounts(counters: Counters) -> dict[str, Any]:
    return {name: {"value": format_quantity(value)} for name, value in counters.items()}


def _taint(taint: Taint) -> dict[str, Any]:
    rendered = {"key": taint.key, "value": taint.value, "effect": taint.effect, "timeAdded": taint.time_added}
    return {name: value for name, value in rendered.items() if value}


def _parse_owner(metadata: Any, spec: Any) -> Owner | None:
    node = spec["nodeName"]
    for reference in metadata.get("ownerReferences") or ():
        if (reference["kind"], reference["name"]) == ("Node", node) and spec["pool"]["name"] == node:
            return Owner(spec["driver"], node, reference["uid"])
    return None


def _parse_content(spec: Any) -> Content:
    return Content(
        tuple(_parse_device(device) for device in spec.get("devices") or ()),
        {counters["name"]: _parse_amounts(counters["counters"]) for counters in spec.get("sharedCounters") or ()},
    )


def _parse_device(device: Any) -> Device:
    return Device(
        name=str(device["name"]),
        attributes={name: _parse_attribute(value) for name, value in (device.get("attributes") or {}).items()},
        capacity=_parse_amounts(device.get("capacity") or {}),
        consumes={
            consumption["counterSet"]: _parse_amounts(consumption["counters"])
            for consumption in device.get("consumesCounters") or ()
        },
        taints=tuple(
            Taint(taint["key"], taint.get("value", ""), taint["effect"], taint.get("timeAdded"))
            for taint in device.get("taints") or ()
        ),
    )


def _parse_attribute(attribute: Any) -> AttributeValue:
    ((kind, value),) = attribute.items()
    if kind == "version" and isinstance(value, str):
        return Version(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    if (kind == "string" and isinstance(value, str)) or (kind == "int" and type(value) is int):
        return value
    raise ValueError(f"found the attribute {str(attribute)[:80]}, expected a string, an int, a bool or a version")


def _parse_amounts(counters: Any) -> dict[str, int]:
    return {name: parse_quantity(counter["value"]) for name, counter in counters.items()}
