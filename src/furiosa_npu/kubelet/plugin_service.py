"""The service `v1beta1.DevicePlugin` that the kubelet calls, over any `DevicePlugin` object that answers it."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError

from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.messages import received


class Refusal(Exception):
    """A "no" with its reason in words: the kubelet puts it into the pod's status and events."""


class DevicePlugin(Protocol):
    """What a resource answers. `Refusal` from `allocate` and `pre_start_container` fails that call alone."""

    def options(self) -> v1beta1.DevicePluginOptions: ...

    def lists(self) -> AsyncIterator[v1beta1.ListAndWatchResponse]:
        """The list now and at each change; the caller closes the iterator when the kubelet's stream ends."""
        ...

    def preferred_allocation(
        self, request: v1beta1.PreferredAllocationRequest
    ) -> v1beta1.PreferredAllocationResponse: ...

    async def allocate(self, request: v1beta1.AllocateRequest) -> v1beta1.AllocateResponse: ...

    async def pre_start_container(
        self, request: v1beta1.PreStartContainerRequest
    ) -> v1beta1.PreStartContainerResponse: ...


class PluginService:
    """Translates gRPC calls for a `DevicePlugin`; made for grpclib's `Server`."""

    def __init__(self, plugin: DevicePlugin) -> None:
        self._plugin = plugin

    async def _options(self, stream: Any) -> None:
        await received(stream)
        await stream.send_message(self._plugin.options())

    async def _list_and_watch(self, stream: Any) -> None:
        await received(stream)
        lists = self._plugin.lists()
        try:
            async for response in lists:
                await stream.send_message(response)
        finally:
            await lists.aclose()  # type: ignore[attr-defined]  # an async generator in all but name

    async def _preferred_allocation(self, stream: Any) -> None:
        await stream.send_message(self._plugin.preferred_allocation(await received(stream)))

    async def _allocate(self, stream: Any) -> None:
        request = await received(stream)
        try:
            response = await self._plugin.allocate(request)
        except Refusal as refusal:
            raise GRPCError(Status.FAILED_PRECONDITION, str(refusal)) from refusal
        await stream.send_message(response)

    async def _pre_start_container(self, stream: Any) -> None:
        request = await received(stream)
        try:
            response = await self._plugin.pre_start_container(request)
        except Refusal as refusal:
            raise GRPCError(Status.FAILED_PRECONDITION, str(refusal)) from refusal
        await stream.send_message(response)

    def __mapping__(self) -> dict[str, Handler]:
        unary = Cardinality.UNARY_UNARY
        return {
            "/v1beta1.DevicePlugin/GetDevicePluginOptions": Handler(
                self._options, unary, v1beta1.Empty, v1beta1.DevicePluginOptions
            ),
            "/v1beta1.DevicePlugin/ListAndWatch": Handler(
                self._list_and_watch, Cardinality.UNARY_STREAM, v1beta1.Empty, v1beta1.ListAndWatchResponse
            ),
            "/v1beta1.DevicePlugin/GetPreferredAllocation": Handler(
                self._preferred_allocation,
                unary,
                v1beta1.PreferredAllocationRequest,
                v1beta1.PreferredAllocationResponse,
            ),
            "/v1beta1.DevicePlugin/Allocate": Handler(
                self._allocate, unary, v1beta1.AllocateRequest, v1beta1.AllocateResponse
            ),
            "/v1beta1.DevicePlugin/PreStartContainer": Handler(
                self._pre_start_container, unary, v1beta1.PreStartContainerRequest, v1beta1.PreStartContainerResponse
            ),
        }
