"""The life of one resource's sockets: serve, register, notice what broke, come back."""

import asyncio
import os
from collections.abc import Awaitable, Callable

from furiosa_npu.agent.dropped_peers import DroppedPeers
from furiosa_npu.agent.log import Log
from furiosa_npu.device_plugin.resource_plugin import OPTIONS, ResourcePlugin
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.client import KubeletError
from furiosa_npu.kubelet.dead_sockets import remove_dead
from furiosa_npu.kubelet.plugin_service import PluginService
from furiosa_npu.kubelet.registration_client import register
from furiosa_npu.kubelet.unix_server import UnixServer, identity
from furiosa_npu.watch.conditions import Conditions

REGISTER_TIMEOUT_SECONDS = 5.0
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 30.0
"""A kubelet that refuses is asked again ever more rarely; one that comes back is noticed by its new socket."""
CALL_BACK_SECONDS = 10.0
"""A kubelet that took a registration opens ListAndWatch within milliseconds; after this it is asked once more."""
LOOK_SECONDS = 30.0
"""Between two looks at the sockets, should an event of the folder be lost."""
FOLDER_SECONDS = 1.0
"""Between two tries to serve, while there is no folder, or none to write in."""
CALLS_SECONDS = 0.75
"""For which calls that are under way are waited for before the socket goes."""

_UNREGISTERED = "not registered with the kubelet yet"


class Endpoint:
    """Keeps one resource registered. `run` does it until cancelled; `wake` tells it that something happened.

    A kubelet is told of a socket once; who has to register again does so with one of another name. Kubernetes 1.37
    knows plugins by their socket's path, and where it takes a registration before it has seen the end of an older one
    with that path it never forgets it: "device plugin already connected" until it is restarted
    (pkg/kubelet/cm/devicemanager/plugin/v1beta1/handler.go: connectClient, runClient).
    """

    def __init__(
        self,
        plugin: ResourcePlugin,
        device_plugins_dir: str,
        clock: Callable[[], float],
        log: Log,
        conditions: Conditions,
        register: Callable[[str, v1beta1.RegisterRequest, float], Awaitable[None]] = register,
    ) -> None:
        self._plugin = plugin
        self._register_with = register
        self._dir = device_plugins_dir
        self._kubelet_socket = f"{device_plugins_dir}/{v1beta1.KUBELET_SOCKET}"
        self._stem = "furiosa-npu-" + plugin.resource.replace("/", "_")
        self._is_first = True
        self._is_told = False
        """the kubelet may know of the socket that is served at"""
        self._clock = clock
        self._log = log
        self._conditions = conditions
        self._awake = asyncio.Event()
        self._registered_with: tuple[int, int] | None = None
        self._registered_at = 0.0
        self._streams_before = 0
        """how many streams had begun when the plugin registered: they are not the kubelet's answer to that"""
        self._kubelet_stream: int | None = None
        """the first that began since"""
        self._failed_with: tuple[int, int] | None = None
        self._failures = 0
        self._retry_at = 0.0
        self.registrations = 0
        self._server = self._server_at(f"{self._stem}.sock")
        conditions.waiting(plugin.resource, _UNREGISTERED)

    def wake(self) -> None:
        """The folder changed: look at once."""
        self._awake.set()

    def streams_changed(self) -> None:
        """A ListAndWatch stream began or ended: the kubelet never opens one again without a registration."""
        if self._kubelet_stream is None:
            since = (number for number in self._plugin.streams if number > self._streams_before)
            self._kubelet_stream = next(since, None)
        elif self._kubelet_stream not in self._plugin.streams:
            self._registered_with = self._kubelet_stream = None
            self._streams_before = self._plugin.streams_begun
            self._conditions.waiting(self._plugin.resource, _UNREGISTERED)
        self._awake.set()

    async def run(self) -> None:
        """Serves and registers, again and again as needed. Ends when cancelled; then nothing is left in the folder."""
        try:
            while True:
                seconds = await self._step()
                try:
                    async with asyncio.timeout(seconds):
                        await self._awake.wait()
                except TimeoutError:
                    continue
                finally:
                    self._awake.clear()
        finally:
            await self._server.answered(CALLS_SECONDS)
            await self._server.close()

    async def _step(self) -> float:
        """Does what is due now; returns after how many seconds to look again."""
        try:
            await self._serve()
        except OSError as error:
            reason = (
                f"{self._server.path}: {error.strerror or error}: the kubelet's folder is not there or not writable"
            )
            self._conditions.trouble(self._plugin.resource, reason)
            return FOLDER_SECONDS
        kubelet = identity(self._kubelet_socket)
        if kubelet is None:
            self._registered_with = None
            self._conditions.trouble(self._plugin.resource, f"{self._kubelet_socket} is not there: no kubelet runs")
            return LOOK_SECONDS
        now = self._clock()
        if kubelet == self._registered_with:
            if self._kubelet_stream is not None:
                self._conditions.well(self._plugin.resource)
                return LOOK_SECONDS
            waited = now - self._registered_at
            if waited < CALL_BACK_SECONDS:
                return CALL_BACK_SECONDS - waited
            reason = f"the kubelet took the registration and did not call back in {CALL_BACK_SECONDS:g} s"
            self._conditions.trouble(self._plugin.resource, reason)
            self._registered_with = None
            return 0.0
        if kubelet == self._failed_with and now < self._retry_at:
            return self._retry_at - now
        return await self._register(kubelet)

    async def _serve(self) -> None:
        """At a socket that is there and of use: registered, or yet to be. Raises OSError."""
        if self._server.is_at_its_path() and (self._registered_with is not None or not self._is_told):
            return
        await self._server.close()
        is_plain = self._is_first and identity(f"{self._dir}/{self._stem}.sock") is None
        for path in remove_dead(self._dir, self._stem, ".sock"):
            self._log.info("removed a socket that nobody serves at", socket=path)
        self._server = self._server_at(f"{self._stem}.sock" if is_plain else f"{self._stem}-{os.urandom(4).hex()}.sock")
        await self._server.start()
        self._is_first = self._is_told = False
        self._registered_with = None

    def _server_at(self, name: str) -> UnixServer:
        path = f"{self._dir}/{name}"
        dropped = DroppedPeers(path, self._log, self._clock)
        return UnixServer(path, [PluginService(self._plugin)], v1beta1.SCHEMA, dropped)

    async def _register(self, kubelet: tuple[int, int]) -> float:
        # Said before the call is made: the kubelet may open and end its stream before the answer is read here.
        self._registered_with, self._registered_at = kubelet, self._clock()
        self._streams_before, self._kubelet_stream = self._plugin.streams_begun, None
        self._conditions.waiting(self._plugin.resource, _UNREGISTERED)
        name = os.path.basename(self._server.path)
        request = v1beta1.RegisterRequest(v1beta1.VERSION, name, self._plugin.resource, OPTIONS)
        self._is_told = True
        try:
            await self._register_with(self._kubelet_socket, request, REGISTER_TIMEOUT_SECONDS)
        except KubeletError as error:
            # A new kubelet has nothing to do with what the last one refused: it may just not listen yet.
            self._failures = self._failures + 1 if kubelet == self._failed_with else 1
            self._registered_with, self._failed_with = None, kubelet
            self._is_told = not isinstance(error.__cause__, (ConnectionRefusedError, FileNotFoundError))
            pause: float = min(FIRST_RETRY_SECONDS * 2.0 ** min(self._failures - 1, 20), LAST_RETRY_SECONDS)
            self._retry_at = self._clock() + pause
            self._conditions.trouble(self._plugin.resource, str(error))
            return pause
        self._failures, self._failed_with = 0, None
        self.registrations += 1
        self._log.info("registered with the kubelet", resource=self._plugin.resource, socket=self._server.path)
        return CALL_BACK_SECONDS
