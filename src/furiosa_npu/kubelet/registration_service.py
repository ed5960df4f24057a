"""The service `pluginregistration.Registration`, by which the kubelet comes to know a plugin (plugin watcher v1)."""

from collections.abc import Callable
from typing import Any

from grpclib.const import Cardinality, Handler

from furiosa_npu.kubelet.messages import received
from furiosa_npu.kubelet.pluginregistration_v1 import (
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)


class RegistrationService:
    """Says what the plugin is, and is told whether the kubelet took it; made for grpclib's `Server`."""

    def __init__(self, info: PluginInfo, on_status: Callable[[str | None], None]) -> None:
        """`on_status` is told None where the plugin is registered, else the kubelet's reason."""
        self._info = info
        self._on_status = on_status

    async def _get_info(self, stream: Any) -> None:
        await received(stream)
        await stream.send_message(self._info)

    async def _notify(self, stream: Any) -> None:
        status = await received(stream)
        self._on_status(None if status.plugin_registered else status.error or "it gave no reason")
        await stream.send_message(RegistrationStatusResponse())

    def __mapping__(self) -> dict[str, Handler]:
        service, unary = "/pluginregistration.Registration", Cardinality.UNARY_UNARY
        return {
            f"{service}/GetInfo": Handler(self._get_info, unary, InfoRequest, PluginInfo),
            f"{service}/NotifyRegistrationStatus": Handler(
                self._notify, unary, RegistrationStatus, RegistrationStatusResponse
            ),
        }
