"""Which pods of this node have ended, by what the API server says: the kubelet's checkpoint alone does not."""

from furiosa_npu.cluster.api import ApiRequest, complaint
from furiosa_npu.cluster.node import is_node_name
from furiosa_npu.dra_driver.claims_api import Ask
from furiosa_npu.dra_driver.fields import FieldError, Fields

METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

STATIC_UID = "kubernetes.io/config.mirror"
"""annotation of a mirror pod: the hash of the static pod's manifest, by which the kubelet and its checkpoint know it"""


class OtherPods:
    """Of one node."""

    def __init__(self, ask: Ask, node: str) -> None:
        """Raises ValueError for what is no node's name."""
        if not is_node_name(node):
            raise ValueError(node)
        selector = f"spec.nodeName%3D{node}%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed"
        self._request = ApiRequest("GET", f"/api/v1/pods?fieldSelector={selector}", METADATA_LIST)
        self._ask = ask

    async def ended(self, uids: frozenset[str], living: frozenset[tuple[str, str]]) -> frozenset[str]:
        """Those of these UIDs that belong to no pod which may run yet; none where the API server does not answer, or
        does not have one of `living`, which the kubelet lists by namespace and name: then that may be any of them.

        A static pod is there as its mirror pod.
        """
        (answer,) = await self._ask([self._request])
        if complaint(self._request, answer) is not None:
            return frozenset()
        try:
            fields = Fields.of("", answer.body)
            if "items" not in fields.content:
                return frozenset()
            pods = [item.inner("metadata") for item in fields.objects("items")]
            if not living <= {(pod.text("namespace"), pod.text("name")) for pod in pods}:
                return frozenset()
            return uids.difference(*map(_uids, pods))
        except FieldError:
            return frozenset()


def _uids(metadata: Fields) -> set[str]:
    """The pod's, and of a mirror pod the one that the kubelet has for its static pod."""
    annotations = metadata.optional_inner("annotations") or Fields(metadata.at("annotations"), {})
    static = annotations.optional_text(STATIC_UID)
    return {metadata.text("uid"), *(() if static is None else (static,))}
