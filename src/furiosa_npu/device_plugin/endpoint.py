"""The life of one resource's socket: serve, register, notice what broke, come back."""

import asyncio
from collections.abc import Callable

from furiosa_npu.agent.log import Log
from furiosa_npu.device_plugin.conditions import Conditions
from furiosa_npu.device_plugin.resource_plugin import OPTIONS, ResourcePlugin
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.client import KubeletError, register
from furiosa_npu.kubelet.plugin_service import PluginService
from furiosa_npu.kubelet.unix_server import UnixServer, identity

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


class Endpoint:
    """Keeps one resource registered. `run` does it until cancelled; `wake` tells it that something happened."""

    def __init__(
        self,
        plugin: ResourcePlugin,
        device_plugins_dir: str,
        clock: Callable[[], float],
        log: Log,
        conditions: Conditions,
    ) -> None:
        self._plugin = plugin
        self._dir = device_plugins_dir
        self._kubelet_socket = f"{device_plugins_dir}/{v1beta1.KUBELET_SOCKET}"
        self._name = "furiosa-npu-" + plugin.resource.replace("/", "_") + ".sock"
        self._server = UnixServer(f"{device_plugins_dir}/{self._name}", [PluginService(plugin)], v1beta1.SCHEMA)
        self._clock = clock
        self._log = log
        self._conditions = conditions
        self._awake = asyncio.Event()
        self._registered_with: tuple[int, int] | None = None
        self._registered_at = 0.0
        self._failed_with: tuple[int, int] | None = None
        self._failures = 0
        self._retry_at = 0.0
        self.registrations = 0

    def wake(self) -> None:
        """The folder changed: look at once."""
        self._awake.set()

    def streams_changed(self) -> None:
        """A ListAndWatch stream began or ended: the kubelet never opens one again without a registration."""
        if not self._plugin.streams:
            self._registered_with = None
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
            if self._plugin.streams:
                self._conditions.well(self._plugin.resource)
                return LOOK_SECONDS
            waited = now - self._registered_at
            if waited < CALL_BACK_SECONDS:
                return CALL_BACK_SECONDS - waited
            reason = f"the kubelet took the registration and did not call back in {CALL_BACK_SECONDS:g} s"
            self._conditions.trouble(self._plugin.resource, reason)
        elif kubelet == self._failed_with and now < self._retry_at:
            return self._retry_at - now
        return await self._register(kubelet)

    async def _serve(self) -> None:
        if not self._server.is_at_its_path():
            await self._server.close()
            await self._server.start()
            self._registered_with = None

    async def _register(self, kubelet: tuple[int, int]) -> float:
        # Said before the call is made: the kubelet may open and end its stream before the answer is read here.
        self._registered_with, self._registered_at = kubelet, self._clock()
        request = v1beta1.RegisterRequest(v1beta1.VERSION, self._name, self._plugin.resource, OPTIONS)
        try:
            await register(self._kubelet_socket, request, REGISTER_TIMEOUT_SECONDS)
        except KubeletError as error:
            self._registered_with, self._failed_with = None, kubelet
            self._failures += 1
            pause: float = min(FIRST_RETRY_SECONDS * 2.0 ** min(self._failures - 1, 20), LAST_RETRY_SECONDS)
            self._retry_at = self._clock() + pause
            self._conditions.trouble(self._plugin.resource, str(error))
            return pause
        self._failures, self._failed_with = 0, None
        self.registrations += 1
        self._log.info("registered with the kubelet", resource=self._plugin.resource, socket=self._server.path)
        return CALL_BACK_SECONDS
