"""`--publish=node-feature`: a NodeFeature object (Node Feature Discovery, nfd.k8s-sigs.io/v1alpha1). Pure.

nfd-master merges the labels of all objects, of whatever namespace, that have a node's name in the label
`nfd.node.kubernetes.io/node-name`; the one that is named as its node, in NFD's own namespace, is nfd-worker's.
"""

import json

from furiosa_npu.cluster.api import Answer, ApiRequest, complaint
from furiosa_npu.cluster.node import is_dns_label, is_label_value
from furiosa_npu.node_labeller.board import Standing
from furiosa_npu.node_labeller.labels import Labels

API_VERSION = "nfd.k8s-sigs.io/v1alpha1"
NODE_NAME_LABEL = "nfd.node.kubernetes.io/node-name"


def objects_of(namespace: str) -> str:
    """The path of a namespace's NodeFeatures. Raises ValueError for what is no namespace."""
    if not is_dns_label(namespace):
        raise ValueError(f"found the namespace '{namespace}', expected a DNS label")
    return f"/apis/{API_VERSION}/namespaces/{namespace}/nodefeatures"


def name_for(node: str) -> str:
    """Of the labeller's object."""
    return f"furiosa-npu-{node}"


class NodeFeature:
    """A board: an object of its own for each node, and without a label there is none."""

    def __init__(self, namespace: str, node: str) -> None:
        """Raises ValueError for what is no namespace, and for a node's name that is no label value: NFD needs one."""
        self._objects = objects_of(namespace)
        if not is_label_value(node):
            raise ValueError(f"found the node's name '{node}', expected 63 characters at most: NFD keeps it in a label")
        self._node = node
        self._name = name_for(node)
        self._path = f"{self._objects}/{self._name}"

    @property
    def where(self) -> str:
        return self._path

    def read(self) -> ApiRequest:
        return ApiRequest("GET", self._path)

    def write(self, changes: Labels, standing: Standing) -> ApiRequest:
        left = {name: value for name, value in ({**standing.labels, **changes}).items() if value is not None}
        if not left and standing.exists:
            return ApiRequest("DELETE", self._path)
        metadata = {"labels": {NODE_NAME_LABEL: self._node}}
        if standing.exists:
            body = _json({"metadata": metadata, "spec": {"labels": changes}})
            return ApiRequest("PATCH", self._path, content_type="application/merge-patch+json", body=body)
        head = {"apiVersion": API_VERSION, "kind": "NodeFeature", "metadata": {"name": self._name} | metadata}
        return ApiRequest(
            "POST", self._objects, content_type="application/json", body=_json({**head, "spec": {"labels": left}})
        )

    def standing(self, request: ApiRequest, answer: Answer) -> Standing:
        gone = answer.status == 404 and isinstance(answer.body, dict)  # of an unknown kind it is a text
        if request.method in ("GET", "DELETE") and gone:
            return Standing({}, frozenset(), exists=False)
        said = complaint(request, answer)
        if said is not None:
            hint = ": are the namespace and Node Feature Discovery's CRDs there?" if answer.status == 404 else ""
            raise ValueError(said + hint)
        if request.method == "DELETE":
            return Standing({}, frozenset(), exists=False)
        return _standing(answer.body, self._node)


def _standing(body: object, node: str) -> Standing:
    """Raises ValueError. An object that nfd-master would not take for the node's says nothing."""
    metadata, spec = (body.get(key) if isinstance(body, dict) else None for key in ("metadata", "spec"))
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise ValueError(f"the API server's answer: found {str(body)[:80]}, expected a NodeFeature")
    labels = spec.get("labels") or {}
    if not isinstance(labels, dict):
        raise ValueError(f"the API server's answer, spec.labels: found {str(labels)[:80]}, expected a mapping")
    if (metadata.get("labels") or {}).get(NODE_NAME_LABEL) != node:
        return Standing({}, frozenset())
    told = {str(name): str(value) for name, value in labels.items()}
    return Standing(told, frozenset(told))


def _json(body: dict[str, object]) -> str:
    return json.dumps(body, separators=(",", ":"), sort_keys=True)
