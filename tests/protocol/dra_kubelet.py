"""A kubelet's side of DRA, for claims about what goes over a driver's sockets: it looks when a test tells it to."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from grpclib.client import UnaryStreamMethod, UnaryUnaryMethod

from furiosa_npu.kubelet import dra_health_v1 as health
from furiosa_npu.kubelet import dra_v1 as dra
from furiosa_npu.kubelet import pluginregistration_v1 as registration
from furiosa_npu.kubelet.client import BoundedChannel
from furiosa_npu.kubelet.codec import WireCodec
from furiosa_npu.kubelet.wire import Schema

SECONDS = 20.0
_DRA = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"


class Registered(NamedTuple):
    """A driver that was found in the registry folder."""

    socket: str
    info: registration.PluginInfo


class DraKubelet:
    """Its folder is `/var/lib/kubelet` to the driver."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.refuses: str | None = None
        """the reason with which it refuses registrations"""
        self.registered: list[Registered] = []
        """in the order in which they came"""
        for name in ("plugins", "plugins_registry"):
            os.makedirs(f"{folder}/{name}", exist_ok=True)

    async def look(self) -> None:
        """As its plugin watcher does at each change of the registry folder."""
        found = sorted(os.listdir(f"{self.folder}/plugins_registry"))
        sockets = [f"{self.folder}/plugins_registry/{name}" for name in found if name.endswith(".sock")]
        self.registered = [driver for driver in self.registered if driver.socket in sockets]
        known = {driver.socket for driver in self.registered}
        for path in sockets:
            if path not in known:
                info = await self._ask(
                    path,
                    "/pluginregistration.Registration/GetInfo",
                    registration.InfoRequest(),
                    registration.PluginInfo,
                    registration.SCHEMA,
                )
                status = registration.RegistrationStatus(self.refuses is None, self.refuses or "")
                await self._ask(
                    path,
                    "/pluginregistration.Registration/NotifyRegistrationStatus",
                    status,
                    registration.RegistrationStatusResponse,
                    registration.SCHEMA,
                )
                if self.refuses is None:
                    self.registered.append(Registered(path, info))

    def restart(self) -> None:
        """It forgets; the sockets stay."""
        self.registered = []

    @property
    def driver(self) -> Registered:
        """The one that it calls: the last that registered."""
        return self.registered[-1]

    async def prepare(self, *claims: dra.Claim) -> dict[str, dra.NodePrepareResourceResponse]:
        answer = await self._ask(
            self.driver.info.endpoint,
            f"{_DRA}/NodePrepareResources",
            dra.NodePrepareResourcesRequest(claims),
            dra.NodePrepareResourcesResponse,
            dra.SCHEMA,
        )
        return dict(answer.claims)

    async def unprepare(self, *claims: dra.Claim) -> dict[str, dra.NodeUnprepareResourceResponse]:
        answer = await self._ask(
            self.driver.info.endpoint,
            f"{_DRA}/NodeUnprepareResources",
            dra.NodeUnprepareResourcesRequest(claims),
            dra.NodeUnprepareResourcesResponse,
            dra.SCHEMA,
        )
        return dict(answer.claims)

    @asynccontextmanager
    async def watch(self, version: str = "v1") -> AsyncIterator[Any]:
        """The stream of resource health: `recv_message` gives a response, or None at its end."""
        channel = BoundedChannel(path=self.driver.info.endpoint, codec=WireCodec(health.SCHEMA))
        method: UnaryStreamMethod[Any, Any] = UnaryStreamMethod(
            channel,
            f"/{version}.DRAResourceHealth/NodeWatchResources",
            health.NodeWatchResourcesRequest,
            health.NodeWatchResourcesResponse,
        )
        try:
            async with method.open() as stream:
                await stream.send_message(health.NodeWatchResourcesRequest(), end=True)
                yield stream
                await stream.cancel()
        finally:
            channel.close()

    async def _ask(self, path: str, method: str, request: Any, answer: type[Any], schema: Schema) -> Any:
        channel = BoundedChannel(path=path, codec=WireCodec(schema))
        try:
            async with asyncio.timeout(SECONDS):
                call: UnaryUnaryMethod[Any, Any] = UnaryUnaryMethod(channel, method, type(request), answer)
                return await call(request)
        finally:
            channel.close()
