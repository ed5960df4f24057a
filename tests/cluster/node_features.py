"""The kind NodeFeature (NFD, nfd.k8s-sigs.io/v1alpha1) where there is no NFD: as far as an object's name goes."""

import json
from typing import Any

from tests.cluster.cluster import Cluster

_GROUP = "nfd.k8s-sigs.io"
_VERSION = {
    "name": "v1alpha1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}},
}
_DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"nodefeatures.{_GROUP}"},
    "spec": {
        "group": _GROUP,
        "names": {"kind": "NodeFeature", "plural": "nodefeatures"},
        "scope": "Namespaced",
        "versions": [_VERSION],
    },
}


def make_node_feature(cluster: Cluster, node: str) -> None:
    """An object of a node as the labeller makes it, in kube-system; and its kind."""
    cluster.kubectl("apply", "--filename=-", stdin=json.dumps(_DEFINITION))
    metadata = {
        "name": f"furiosa-npu-{node}",
        "namespace": "kube-system",
        "labels": {"nfd.node.kubernetes.io/node-name": node},
    }
    made: dict[str, Any] = {"apiVersion": f"{_GROUP}/v1alpha1", "kind": "NodeFeature", "metadata": metadata}
    cluster.wait("the kind to be served", lambda: cluster.kubectl("apply", "--filename=-", stdin=json.dumps(made)))
