"""The service `v1.DRAPlugin` that the kubelet calls, over any `DraPlugin` object that answers it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from grpclib.const import Cardinality, Handler

from furiosa_npu.kubelet.dra_v1 import (
    Claim,
    Device,
    NodePrepareResourceResponse,
    NodePrepareResourcesRequest,
    NodePrepareResourcesResponse,
    NodeUnprepareResourceResponse,
    NodeUnprepareResourcesRequest,
    NodeUnprepareResourcesResponse,
)
from furiosa_npu.kubelet.messages import received

_SERVICE = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"


class DraPlugin(Protocol):
    """What a driver answers; each claim for itself, so that one that fails is no other's error."""

    async def prepare(self, claims: Sequence[Claim]) -> Mapping[str, tuple[Device, ...] | str]:
        """By the UID of each claim asked for: its devices, or why they cannot be had."""
        ...

    async def unprepare(self, claims: Sequence[Claim]) -> Mapping[str, str | None]:
        """By the UID of each claim asked for: None, or why it is still prepared."""
        ...


class DraService:
    """Translates gRPC calls for a `DraPlugin`; made for grpclib's `Server`."""

    def __init__(self, plugin: DraPlugin) -> None:
        self._plugin = plugin

    async def _prepare(self, stream: Any) -> None:
        request = await received(stream)
        answers = await self._plugin.prepare(request.claims)
        claims = {
            uid: NodePrepareResourceResponse(error=answer)
            if isinstance(answer, str)
            else NodePrepareResourceResponse(answer)
            for uid, answer in answers.items()
        }
        await stream.send_message(NodePrepareResourcesResponse(claims))

    async def _unprepare(self, stream: Any) -> None:
        request = await received(stream)
        answers = await self._plugin.unprepare(request.claims)
        claims = {uid: NodeUnprepareResourceResponse(error or "") for uid, error in answers.items()}
        await stream.send_message(NodeUnprepareResourcesResponse(claims))

    def __mapping__(self) -> dict[str, Handler]:
        unary = Cardinality.UNARY_UNARY
        return {
            f"{_SERVICE}/NodePrepareResources": Handler(
                self._prepare, unary, NodePrepareResourcesRequest, NodePrepareResourcesResponse
            ),
            f"{_SERVICE}/NodeUnprepareResources": Handler(
                self._unprepare, unary, NodeUnprepareResourcesRequest, NodeUnprepareResourcesResponse
            ),
        }
