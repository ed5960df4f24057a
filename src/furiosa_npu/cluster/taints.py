"""A node's taints (core/v1 Node `spec.taints`), and the request that takes some of them away. Pure."""

import json
from collections.abc import Mapping, Sequence

from furiosa_npu.cluster.api import METADATA_ONLY, ApiRequest
from furiosa_npu.cluster.node import is_label_value, is_node_name, node_path

EXPECTED_TAINT_KEY = "the key of a taint, as in example.com/not-ready, and none that Kubernetes sets"

_AUTOSCALERS = "startup-taint.cluster-autoscaler.kubernetes.io"
"""what the cluster autoscaler takes for a startup taint by its key alone"""

JSON_PATCH = "application/json-patch+json"

Taint = Mapping[str, object]
"""as the API server shows it: key, effect, perhaps value and timeAdded"""


def is_taint_key(text: str) -> bool:
    """A qualified name with a prefix (apimachinery, IsQualifiedName). Kubernetes' own taints are not ours to remove."""
    prefix, slash, name = text.partition("/")
    theirs = prefix == "kubernetes.io" or (prefix.endswith(".kubernetes.io") and prefix != _AUTOSCALERS)
    return slash != "" and is_node_name(prefix) and is_label_value(name) and not theirs


def get_taints(node: str) -> ApiRequest:
    """Reads `spec.taints` alone. Raises ValueError for what is no node's name."""
    return ApiRequest("GET", node_path(node), only=("spec", "taints"))


def taints_of(body: object) -> tuple[Taint, ...]:
    """From the answer to `get_taints`. Raises ValueError where it is no list of taints."""
    if body is None:
        return ()
    if not isinstance(body, list) or not all(isinstance(taint, dict) for taint in body):
        raise ValueError(f"the API server's answer, spec.taints: found {str(body)[:80]}, expected a list of taints")
    return tuple(body)


def remove_taints(node: str, taints: Sequence[Taint], key: str) -> ApiRequest | None:
    """Takes those with this key away; None: there are none. `taints`: all of the node's, as they were read.

    A JSON patch (RFC 6902): it removes a place of the list if the same taint stands there still, whatever became of the
    others, and else the API server refuses all of it (422). The last place goes first, so that the others keep theirs.
    """
    places = [place for place, taint in enumerate(taints) if taint.get("key") == key]
    if not places:
        return None
    operations: list[dict[str, object]] = [
        {"op": "test", "path": f"/spec/taints/{place}", "value": taints[place]} for place in places
    ]
    operations += [{"op": "remove", "path": f"/spec/taints/{place}"} for place in reversed(places)]
    body = json.dumps(operations, separators=(",", ":"), sort_keys=True)
    return ApiRequest("PATCH", node_path(node), METADATA_ONLY, JSON_PATCH, body)
