"""A condition in a node's status (core/v1 NodeCondition), of a type of one's own, and the request that writes it. Pure.

The kubelet and the node controller write their own types alone, so it stays as it was written last.
"""

import json
from typing import Literal, NamedTuple

from furiosa_npu.cluster.api import METADATA_ONLY, ApiRequest, rfc3339
from furiosa_npu.cluster.events import cut
from furiosa_npu.cluster.node import node_path

MAXIMUM_MESSAGE_BYTES = 16 * 1024
"""The API server has no bound of its own for a node's; this is a line of 256 bytes for each of 64 cards."""


class Condition(NamedTuple):
    """What is said of a node under one type."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    """one word in CamelCase"""
    message: str
    """for people; what is longer than 16 KiB is cut"""


def patch_node_condition(node: str, condition: Condition, written_at: float, since: float | None) -> ApiRequest:
    """Sets this condition and touches no other: a strategic merge patch, whose conditions are merged by `type`.

    `written_at` is its heartbeat, `since` when its status last changed, None where that stays as it stands there;
    both in seconds since 1970. Raises ValueError for what is no node's name.
    """
    entry = {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": cut(condition.message, MAXIMUM_MESSAGE_BYTES),
        "lastHeartbeatTime": rfc3339(written_at),
    }
    if since is not None:
        entry["lastTransitionTime"] = rfc3339(since)
    body = json.dumps({"status": {"conditions": [entry]}}, separators=(",", ":"), sort_keys=True)
    path = f"{node_path(node)}/status"
    return ApiRequest("PATCH", path, METADATA_ONLY, "application/strategic-merge-patch+json", body)
