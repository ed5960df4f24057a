"""A device plugin that has no device and wants no call: what the driver answers in the place of the one before it."""

import asyncio
from collections.abc import AsyncIterator

from furiosa_npu.agent.dropped_peers import DroppedPeers
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.plugin_service import PluginService, Refusal
from furiosa_npu.kubelet.unix_server import UnixServer

_ELSEWHERE = f"the DRA driver {DRIVER} hands out this node's cards: there is no device plugin"


class NoDevices:
    """A `DevicePlugin` (kubelet.plugin_service)."""

    def options(self) -> v1beta1.DevicePluginOptions:
        return v1beta1.DevicePluginOptions()

    async def lists(self) -> AsyncIterator[v1beta1.ListAndWatchResponse]:
        yield v1beta1.ListAndWatchResponse()
        await asyncio.Event().wait()

    def preferred_allocation(self, _: v1beta1.PreferredAllocationRequest) -> v1beta1.PreferredAllocationResponse:
        return v1beta1.PreferredAllocationResponse()

    async def allocate(self, _: v1beta1.AllocateRequest) -> v1beta1.AllocateResponse:
        raise Refusal(_ELSEWHERE)

    async def pre_start_container(self, _: v1beta1.PreStartContainerRequest) -> v1beta1.PreStartContainerResponse:
        raise Refusal(_ELSEWHERE)


def server(path: str, drops: DroppedPeers) -> UnixServer:
    """Serves it at this socket."""
    return UnixServer(path, [PluginService(NoDevices())], v1beta1.SCHEMA, drops)
