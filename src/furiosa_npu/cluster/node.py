"""The API's Node (core/v1): its name, its labels, its programs' versions, and the requests for them. Pure."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from furiosa_npu.cluster.api import METADATA_ONLY, ApiRequest

_LETTERS_AND_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")

EXPECTED_NODE_NAME = "a node's name: up to 253 of a-z, 0-9, - and ., beginning and ending with a letter or digit"

EXPECTED_LABEL_VALUE = (
    "a label value: up to 63 of A-Z, a-z, 0-9, -, _ and ., beginning and ending with a letter or digit"
)


class NodeInfo(NamedTuple):
    """Of the node's `status.nodeInfo`."""

    kubelet_version: str
    """`v1.31.4`"""
    container_runtime_version: str
    """`containerd://2.0.1`"""


def is_node_name(text: str) -> bool:
    """RFC 1123 subdomain, as the API server checks it (apimachinery, IsDNS1123Subdomain): no label of it is bounded."""
    return 0 < len(text) <= 253 and all(map(_is_label, text.split(".")))


def is_dns_label(text: str) -> bool:
    """RFC 1123 label, as the API server checks it (apimachinery, IsDNS1123Label)."""
    return len(text) <= 63 and _is_label(text)


def _is_label(text: str) -> bool:
    """Of whatever length."""
    inner = all(character in _LETTERS_AND_DIGITS or character == "-" for character in text)
    return text != "" and inner and text == text.lower() and text[0] != "-" and text[-1] != "-"


def is_label_value(text: str) -> bool:
    """As the API server checks it (apimachinery, IsValidLabelValue), without the empty value."""
    inner = all(character in _LETTERS_AND_DIGITS or character in "-_." for character in text)
    return 0 < len(text) <= 63 and inner and text[0] in _LETTERS_AND_DIGITS and text[-1] in _LETTERS_AND_DIGITS


def get_node(name: str) -> ApiRequest:
    """Reads the node's metadata. Raises ValueError for what is no node's name."""
    return ApiRequest("GET", node_path(name), METADATA_ONLY)


def get_node_info(name: str) -> ApiRequest:
    """Reads `status.nodeInfo` alone: a node's status can be 100 KiB. Raises ValueError for what is no node's name."""
    return ApiRequest("GET", node_path(name), only=("status", "nodeInfo"))


def node_info_of(body: object) -> NodeInfo:
    """From the answer to `get_node_info`. Raises ValueError where it is no such part of a node."""
    told = [body.get(key) if isinstance(body, dict) else None for key in ("kubeletVersion", "containerRuntimeVersion")]
    if not all(isinstance(version, str) and version for version in told):
        raise ValueError(
            f"the API server's answer, status.nodeInfo: found {str(body)[:80]}, "
            "expected an object with kubeletVersion and containerRuntimeVersion"
        )
    return NodeInfo(*map(str, told))


def patch_node_labels(name: str, labels: Mapping[str, str | None]) -> ApiRequest:
    """Sets these labels, removes those that are None, and touches no other (RFC 7386). Raises ValueError."""
    body = json.dumps({"metadata": {"labels": dict(labels)}}, separators=(",", ":"), sort_keys=True)
    return ApiRequest("PATCH", node_path(name), METADATA_ONLY, "application/merge-patch+json", body)


def labels_of(node: object) -> dict[str, str]:
    """The labels of a node as the API server sent it. Raises ValueError where that is no node."""
    metadata = node.get("metadata") if isinstance(node, dict) else None
    if not isinstance(metadata, dict):
        raise ValueError(f"the API server's answer: found {str(node)[:80]}, expected an object with metadata")
    labels = metadata.get("labels") or {}
    if not isinstance(labels, dict):
        raise ValueError(f"the API server's answer, metadata.labels: found {str(labels)[:80]}, expected a mapping")
    return {str(key): str(value) for key, value in labels.items()}


def labels_written_by(manager: str, node: object) -> frozenset[str]:
    """Names of the labels that this manager wrote last, as `metadata.managedFields` says (meta/v1 FieldsV1)."""
    entries = _mapping(_mapping(node).get("metadata")).get("managedFields")
    names: set[str] = set()
    for entry in entries if isinstance(entries, list) else ():
        if _mapping(entry).get("manager") == manager:
            fields = _mapping(_mapping(entry.get("fieldsV1")).get("f:metadata"))
            names |= {str(key).removeprefix("f:") for key in _mapping(fields.get("f:labels")) if key != "."}
    return frozenset(names)


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def node_path(name: str) -> str:
    """Raises ValueError for what is no node's name."""
    if not is_node_name(name):
        raise ValueError(f"found '{name}', expected {EXPECTED_NODE_NAME}")
    return f"/api/v1/nodes/{name}"
