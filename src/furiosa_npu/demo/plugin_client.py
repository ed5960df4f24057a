"""The kubelet's side of one registered plugin: `v1beta1.DevicePlugin` on the plugin's own socket."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from grpclib.client import Channel, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.exceptions import GRPCError, StreamTerminatedError

from furiosa_npu.demo.calls import Call, Journal
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.codec import WireCodec

CALL_SECONDS = 30.0
"""`KubeletPreStartContainerRPCTimeoutInSecs`; 1.20 sets no other limit, and a demo must not hang."""

T = TypeVar("T")


class PluginError(Exception):
    """A call that failed, in the words of the kubelet's gRPC library."""


class PluginClient:
    """One endpoint. `options` are those that the plugin said in `Register`: 1.20 goes by these."""

    def __init__(
        self, socket_path: str, resource: str, options: v1beta1.DevicePluginOptions | None, journal: Journal
    ) -> None:
        self.resource = resource
        self.options = options or v1beta1.DevicePluginOptions()
        self._channel = Channel(path=socket_path, codec=WireCodec(v1beta1.SCHEMA))
        self._journal = journal

    def close(self) -> None:
        self._channel.close()

    async def get_options(self) -> v1beta1.DevicePluginOptions:
        """Raises PluginError, as each call here."""
        options: v1beta1.DevicePluginOptions = await self._call(
            "GetDevicePluginOptions", v1beta1.Empty(), v1beta1.DevicePluginOptions
        )
        return options

    async def watch(self, on_list: Callable[[Sequence[v1beta1.Device]], None]) -> str:
        """Calls `on_list` with each list, until the stream ends; returns why it did."""
        method = UnaryStreamMethod(
            self._channel, "/v1beta1.DevicePlugin/ListAndWatch", v1beta1.Empty, v1beta1.ListAndWatchResponse
        )
        reason = "the plugin closed it"
        try:
            async with method.open() as stream:
                await stream.send_message(v1beta1.Empty(), end=True)
                async for response in stream:
                    on_list(response.devices)
                    self._journal.enter(Call("ListAndWatch", self.resource, v1beta1.Empty(), response))
        except (GRPCError, OSError, StreamTerminatedError) as error:
            reason = _words(error)
        return reason

    async def preferred(self, available: Sequence[str], must_include: Sequence[str], size: int) -> tuple[str, ...]:
        """`GetPreferredAllocation` for one container; empty where the plugin did not offer it."""
        if not self.options.get_preferred_allocation_available:
            return ()
        container = v1beta1.ContainerPreferredAllocationRequest(tuple(available), tuple(must_include), size)
        response: v1beta1.PreferredAllocationResponse = await self._call(
            "GetPreferredAllocation",
            v1beta1.PreferredAllocationRequest((container,)),
            v1beta1.PreferredAllocationResponse,
        )
        return response.container_responses[0].device_ids if response.container_responses else ()

    async def allocate(self, ids: Sequence[str]) -> v1beta1.ContainerAllocateResponse:
        """`Allocate` for one container."""
        request = v1beta1.AllocateRequest((v1beta1.ContainerAllocateRequest(tuple(ids)),))
        response: v1beta1.AllocateResponse = await self._call("Allocate", request, v1beta1.AllocateResponse)
        if not response.container_responses:
            raise PluginError(f"no containers return in allocation response {response}")
        return response.container_responses[0]

    async def pre_start(self, ids: Sequence[str]) -> None:
        """`PreStartContainer`, where the plugin asked for it."""
        if self.options.pre_start_required:
            request = v1beta1.PreStartContainerRequest(tuple(ids))
            await self._call("PreStartContainer", request, v1beta1.PreStartContainerResponse)

    async def _call(self, name: str, request: Any, response_type: type[T]) -> T:
        method = UnaryUnaryMethod(self._channel, f"/v1beta1.DevicePlugin/{name}", type(request), response_type)
        try:
            response = await _limited(method(request))
        except (GRPCError, OSError, StreamTerminatedError) as error:
            self._journal.enter(Call(name, self.resource, request, _words(error)))
            raise PluginError(_words(error)) from error
        self._journal.enter(Call(name, self.resource, request, response))
        return response


async def _limited(call: Awaitable[T]) -> T:
    async with asyncio.timeout(CALL_SECONDS):
        return await call


def _words(error: Exception) -> str:
    """As Go's gRPC prints an error; pods' events show it so."""
    if isinstance(error, GRPCError):
        code = error.status.name.title().replace("_", "")
        return f"rpc error: code = {code} desc = {error.message or ''}"
    if isinstance(error, TimeoutError):
        return f"rpc error: code = DeadlineExceeded desc = no answer in {CALL_SECONDS:g} s"
    return f"rpc error: code = Unavailable desc = {error}"
