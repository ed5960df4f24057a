"""What an event can be about: a node or a pod, named as the API server would take it, and a pod's UID. Pure."""

from typing import Literal, NamedTuple

from furiosa_npu.cluster.api import METADATA_ONLY, ApiRequest
from furiosa_npu.cluster.node import is_node_name


class Subject(NamedTuple):
    """An object of core/v1 by its name."""

    kind: Literal["Node", "Pod"]
    namespace: str
    """empty for a node"""
    name: str

    def __str__(self) -> str:
        return f"node {self.name}" if self.kind == "Node" else f"pod {self.namespace}/{self.name}"


def the_node(name: str) -> Subject:
    return Subject("Node", "", name)


def the_pod(namespace: str, name: str) -> Subject:
    return Subject("Pod", namespace, name)


def is_subject(subject: Subject) -> bool:
    """Whether its names are such as the API server takes, and so can stand in a path."""
    namespaced = is_node_name(subject.namespace) and "." not in subject.namespace
    return is_node_name(subject.name) and (not subject.namespace if subject.kind == "Node" else namespaced)


def get_pod(namespace: str, name: str) -> ApiRequest:
    """Reads the pod's metadata alone. Raises ValueError for what is no pod's name."""
    if not is_subject(the_pod(namespace, name)):
        raise ValueError(f"found '{namespace}/{name}', expected a pod's namespace and name")
    return ApiRequest("GET", f"/api/v1/namespaces/{namespace}/pods/{name}", METADATA_ONLY)


def uid_of(pod: object) -> str:
    """`metadata.uid` of an object as the API server sent it. Raises ValueError where there is none."""
    metadata = pod.get("metadata") if isinstance(pod, dict) else None
    uid = metadata.get("uid") if isinstance(metadata, dict) else None
    if not isinstance(uid, str) or not uid:
        raise ValueError(f"the API server's answer: found {str(pod)[:80]}, expected an object with metadata.uid")
    return uid
