"""What the agents leave in the API server's objects, and the requests that take it away. Pure."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from furiosa_npu.cluster.api import MANAGER, METADATA_ONLY, ApiRequest
from furiosa_npu.cluster.node import labels_written_by, node_path, patch_node_labels
from furiosa_npu.cluster.resource_slice_requests import SLICES
from furiosa_npu.cluster.taints import remove_taints, taints_of
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.node_labeller.labels import LABELS
from furiosa_npu.node_labeller.node_feature import NODE_NAME_LABEL, name_for, objects_of
from furiosa_npu.watch.reports import CONDITION

NODES = "/api/v1/nodes"
OF_OUR_DRIVER = f"fieldSelector=spec.driver%3D{DRIVER}"
STARTUP_TAINT = "npu.furiosa.ai/not-ready"
"""of the documents"""
AGENTS = ("furiosa-npu-labeller", "furiosa-npu-plugin", "furiosa-npu-plugin-renegade", "furiosa-npu-dra-driver")
"""values of the label app.kubernetes.io/name of the agents' pods"""

SWEEP = "furiosa-npu-sweep"
"""the DaemonSet that sweeps nodes, and the same label of its pods"""

DELETE_HOOKS = "delete what has the label app.kubernetes.io/component=chart-hook"
"""of the chart's templates/_hooks.tpl, for who applied them with kubectl"""


class Removal(NamedTuple):
    """One write."""

    what: str
    request: ApiRequest


def of_nodes(nodes: Iterable[dict[str, Any]], startup_taint: str) -> tuple[Removal, ...]:
    """Labels that the labeller wrote, the condition and the startup taint, of the nodes that have them.

    Without the agents nobody would take that taint away, and no pod could come to the node.
    """
    removals = []
    for node in nodes:
        name = node["metadata"]["name"]
        own = (*LABELS, *sorted(labels_written_by(MANAGER, node) - {*LABELS}))
        labels = [label for label in own if label in (node["metadata"].get("labels") or {})]
        if labels:
            what = f"{' and '.join(labels)} of node {name}"
            removals.append(Removal(what, patch_node_labels(name, dict.fromkeys(labels))))
        taint = remove_taints(name, taints_of((node.get("spec") or {}).get("taints")), startup_taint)
        if taint is not None:
            removals.append(Removal(f"taint {startup_taint} of node {name}", taint))
        conditions = (node.get("status") or {}).get("conditions") or ()
        if any(condition.get("type") == CONDITION for condition in conditions):
            removals.append(Removal(f"condition {CONDITION} of node {name}", delete_condition(name)))
    return tuple(removals)


def delete_condition(node: str) -> ApiRequest:
    """A strategic merge patch: conditions are merged by `type`."""
    body = {"status": {"conditions": [{"$patch": "delete", "type": CONDITION}]}}
    path = f"{node_path(node)}/status"
    return ApiRequest("PATCH", path, METADATA_ONLY, "application/strategic-merge-patch+json", json.dumps(body))


def of_slices(slices: Iterable[dict[str, Any]]) -> tuple[Removal, ...]:
    """All of the driver's ResourceSlices; their device taints go with them."""
    names = [str(one["metadata"]["name"]) for one in slices]
    return tuple(Removal(f"ResourceSlice {name}", ApiRequest("DELETE", f"{SLICES}/{name}")) for name in names)


def of_node_features(found: Iterable[dict[str, Any]], namespace: str) -> tuple[Removal, ...]:
    """The labeller's NodeFeatures; nfd-master then takes their labels from the nodes."""
    metadata = [one["metadata"] for one in found]
    nodes = [(one["name"], (one.get("labels") or {}).get(NODE_NAME_LABEL)) for one in metadata]
    names = [name for name, node in nodes if node is not None and name == name_for(node)]
    objects = objects_of(namespace)
    return tuple(Removal(f"NodeFeature {name}", ApiRequest("DELETE", f"{objects}/{name}")) for name in names)


def named(names: Iterable[str]) -> str:
    """The selector of pods with one of these values of app.kubernetes.io/name."""
    return f"labelSelector=app.kubernetes.io%2Fname+in+%28{'%2C'.join(names)}%29"
