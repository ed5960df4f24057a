"""Which pods of this node have ended, by what the API server says: the kubelet's checkpoint alone does not."""

from furiosa_npu.cluster.api import ApiRequest, complaint
from furiosa_npu.cluster.node import is_node_name
from furiosa_npu.dra_driver.claims_api import Ask
from furiosa_npu.dra_driver.fields import FieldError, Fields

METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class OtherPods:
    """Of one node."""

    def __init__(self, ask: Ask, node: str) -> None:
        """Raises ValueError for what is no node's name."""
        if not is_node_name(node):
            raise ValueError(node)
        selector = f"spec.nodeName%3D{node}%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed"
        self._request = ApiRequest("GET", f"/api/v1/pods?fieldSelector={selector}", METADATA_LIST)
        self._ask = ask

    async def ended(self, uids: frozenset[str]) -> frozenset[str]:
        """Those of these UIDs that belong to no pod which may run yet; none where the API server does not answer."""
        (answer,) = await self._ask([self._request])
        if complaint(self._request, answer) is not None:
            return frozenset()
        try:
            items = Fields.of("", answer.body).objects("items")
            return uids - {item.inner("metadata").text("uid") for item in items}
        except FieldError:
            return frozenset()
