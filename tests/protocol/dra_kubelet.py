"""A kubelet's side of DRA, as 1.37's plugin manager and DRA plugin manager have it: over a driver's real sockets.

It looks at its registry folder when a test tells it to, or, inside `living`, at each event of it, and a second after a
look at which a socket did not answer.
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from grpclib.client import UnaryStreamMethod, UnaryUnaryMethod
from grpclib.exceptions import GRPCError, StreamTerminatedError

from furiosa_npu.kubelet import deviceplugin_v1beta1 as device_plugin
from furiosa_npu.kubelet import dra_health_v1 as health
from furiosa_npu.kubelet import dra_v1 as dra
from furiosa_npu.kubelet import pluginregistration_v1 as registration
from furiosa_npu.kubelet.client import BoundedChannel
from furiosa_npu.kubelet.codec import WireCodec
from furiosa_npu.kubelet.unix_server import identity
from furiosa_npu.kubelet.wire import Schema
from furiosa_npu.linux.inotify import IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO, Inotify

SECONDS = 60.0
LOOK_SECONDS = 1.0
"""between two looks at a socket that does not answer"""
SERVICES = ("v1.DRAPlugin", "v1beta1.DRAPlugin")
"""that a kubelet of 1.37 calls"""
HEALTH_SERVICES = ("v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth")

_DRA = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"
_REGISTRATION = "/pluginregistration.Registration"
_FAILURES = (GRPCError, StreamTerminatedError, OSError, TimeoutError)


class _Line(BoundedChannel):
    """The one connection to a driver's socket, made again where it was lost."""

    @property
    def is_connected(self) -> bool:
        return bool(self._connected)


class Registered(NamedTuple):
    """An instance of a driver that was found in the registry folder."""

    socket: str
    identity: tuple[int, int] | None
    info: registration.PluginInfo
    line: _Line


class DraKubelet:
    """Its folder is `/var/lib/kubelet` to the driver."""

    def __init__(self, folder: str, services: tuple[str, ...] = SERVICES) -> None:
        """`services`: those of `DRAPlugin` that it knows; 1.33 knows v1beta1 alone."""
        self.folder = folder
        self.refuses: str | None = None
        """the reason with which it refuses what it found to be valid"""
        self.registered: list[Registered] = []
        """in the order in which they came"""
        self.device_plugins: dict[str, tuple[object, object]] = {}
        """of the registry folder, by resource: its options and its first list"""
        self.failures: list[str] = []
        """what went wrong with sockets that it found; they are tried again at the next look"""
        self._services = services
        self._registry = f"{folder}/plugins_registry"
        for name in ("plugins", "plugins_registry"):
            os.makedirs(f"{folder}/{name}", exist_ok=True)

    async def look(self, *, backwards: bool = False) -> None:
        """As its plugin manager does once a second: those that left first, then the new ones, in any order."""
        found = {path: identity(path) for path in self._sockets()}
        for plugin in tuple(self.registered):
            if found.get(plugin.socket) != plugin.identity:
                self._forget(plugin)
        known = {plugin.socket for plugin in self.registered}
        for path in sorted(found, reverse=backwards):
            if path not in known:
                await self._register(path, found[path])

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Looks by itself, until it stops at the end of the block."""
        events, changed = Inotify(), asyncio.Event()
        events.add_watch(self._registry, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

        def readable() -> None:
            events.read()
            changed.set()

        asyncio.get_running_loop().add_reader(events.fileno(), readable)

        async def looks() -> None:
            while True:
                changed.clear()
                failures = len(self.failures)
                await self.look()
                # A process that was just heard to bind its socket may not listen at it yet.
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS if len(self.failures) > failures else None):
                        await changed.wait()

        task = asyncio.create_task(looks())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            asyncio.get_running_loop().remove_reader(events.fileno())
            events.close()
            self.stop()

    def stop(self) -> None:
        """Its connections end with it, and it forgets all; the sockets stay."""
        for plugin in tuple(self.registered):
            self._forget(plugin)

    @property
    def driver(self) -> Registered:
        """The one that it calls: the last that registered and is connected, or just the last."""
        connected = [plugin for plugin in self.registered if plugin.line.is_connected]
        return (connected or self.registered)[-1]

    async def prepare(self, *claims: dra.Claim) -> dict[str, dra.NodePrepareResourceResponse]:
        request, method = dra.NodePrepareResourcesRequest(claims), f"{_DRA}/NodePrepareResources"
        answer = await _ask(self.driver.line, method, request, dra.NodePrepareResourcesResponse)
        return dict(answer.claims)

    async def unprepare(self, *claims: dra.Claim) -> dict[str, dra.NodeUnprepareResourceResponse]:
        request, method = dra.NodeUnprepareResourcesRequest(claims), f"{_DRA}/NodeUnprepareResources"
        answer = await _ask(self.driver.line, method, request, dra.NodeUnprepareResourcesResponse)
        return dict(answer.claims)

    @asynccontextmanager
    async def watch(self, service: str | None = None) -> AsyncIterator[Any]:
        """The stream of resource health: `recv_message` gives a response, or None at its end.

        `service`: the newest that both know, unless told otherwise.
        """
        driver = self.driver
        said = service or next(known for known in HEALTH_SERVICES if known in driver.info.supported_versions)
        method: UnaryStreamMethod[Any, Any] = UnaryStreamMethod(
            driver.line,
            f"/{said}/NodeWatchResources",
            health.NodeWatchResourcesRequest,
            health.NodeWatchResourcesResponse,
        )
        async with method.open() as stream:
            await stream.send_message(health.NodeWatchResourcesRequest(), end=True)
            yield stream
            await stream.cancel()

    async def _register(self, path: str, seen: tuple[int, int] | None) -> None:
        channel = _channel(BoundedChannel, path, registration.SCHEMA)
        plugin = None
        try:
            info = await _ask(channel, f"{_REGISTRATION}/GetInfo", registration.InfoRequest(), registration.PluginInfo)
            refused = self._fault(path, info) or self.refuses
            if refused is None and info.type == registration.DEVICE_PLUGIN:
                self.device_plugins[info.name] = await _options_and_list(info.endpoint)
            elif refused is None:
                line = _channel(_Line, info.endpoint, {**dra.SCHEMA, **health.SCHEMA})
                plugin = Registered(path, seen, info, line)
                self.registered.append(plugin)
                with suppress(OSError):  # it is tried again at each call
                    await line.__connect__()
            status = registration.RegistrationStatus(refused is None, refused or "")
            method = f"{_REGISTRATION}/NotifyRegistrationStatus"
            await _ask(channel, method, status, registration.RegistrationStatusResponse)
        except _FAILURES as error:
            self.failures.append(f"{path}: {error}")
            if plugin is not None:
                self._forget(plugin)
        finally:
            channel.close()

    def _fault(self, path: str, info: registration.PluginInfo) -> str | None:
        if info.type == registration.DEVICE_PLUGIN:
            known = device_plugin.VERSION in info.supported_versions
            return (
                None if known else f"manager version, {device_plugin.VERSION}, is not among plugin supported versions"
            )
        if info.type != registration.DRA_PLUGIN:
            return f"RegisterPlugin error -- no handler registered for plugin type: {info.type} at socket {path}"
        if not set(info.supported_versions) & set(self._services):
            return (
                f"none of services supported by the plugin ({list(info.supported_versions)}) are supported by the "
                f"kubelet ({list(self._services)})"
            )
        if any(plugin.info[:3] == info[:3] for plugin in self.registered):
            return f"endpoint {info.endpoint} already registered for DRA driver plugin {info.name}"
        return None

    def _forget(self, plugin: Registered) -> None:
        plugin.line.close()
        self.registered.remove(plugin)

    def _sockets(self) -> list[str]:
        entries = [entry for entry in os.scandir(self._registry) if not entry.name.startswith(".")]
        found = []
        for entry in entries:
            with suppress(FileNotFoundError):
                if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                    found.append(entry.path)
        return found


async def _options_and_list(socket: str) -> tuple[object, object]:
    """What a device plugin is asked for when it is registered."""
    service, request = "/v1beta1.DevicePlugin", device_plugin.Empty()
    channel = _channel(BoundedChannel, socket, device_plugin.SCHEMA)
    method: UnaryStreamMethod[Any, Any] = UnaryStreamMethod(
        channel, f"{service}/ListAndWatch", device_plugin.Empty, device_plugin.ListAndWatchResponse
    )
    try:
        asked = f"{service}/GetDevicePluginOptions"
        options = await _ask(channel, asked, request, device_plugin.DevicePluginOptions)
        async with method.open() as stream:
            await stream.send_message(request, end=True)
            listed = await stream.recv_message()
            await stream.cancel()
        return options, listed
    finally:
        channel.close()


def _channel(kind: type[Any], path: str, schema: Schema) -> Any:
    return kind(path=path, codec=WireCodec(schema))


async def _ask(channel: BoundedChannel, method: str, request: Any, answer: type[Any]) -> Any:
    """In a task of its own: grpclib cancels the one that waits where the connection is lost."""
    call: UnaryUnaryMethod[Any, Any] = UnaryUnaryMethod(channel, method, type(request), answer)
    async with asyncio.timeout(SECONDS):
        return await asyncio.create_task(call(request))
