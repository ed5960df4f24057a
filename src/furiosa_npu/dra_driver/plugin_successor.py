"""What the driver tells the kubelet in the place of the device plugin that had the node before: no devices, no calls.

A kubelet keeps a device plugin's options for five minutes after its end. Those of ours ask for `PreStartContainer`, so
that no container starts whose limits name the plugin's resources, though its device comes through DRA ("no devices
found allocated in local cache"). After that, and as long as a pod holds a device of the name, there is none to ask
("endpoint not found in cache for a registered resource"). A plugin of the name that wants no call mends both; what
pods hold stays theirs. Source: Kubernetes 1.37.2 `pkg/kubelet/cm/devicemanager/manager.go`,
GetDeviceRunContainerOptions; `plugin/v1beta1/handler.go`: device plugins are found in the registry folder too.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from furiosa_npu.agent.dropped_peers import DroppedPeers
from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.kubelet import pluginregistration_v1
from furiosa_npu.kubelet.checkpoint import FILE_NAME, CheckpointError, registered_resources
from furiosa_npu.kubelet.dead_sockets import remove_dead
from furiosa_npu.kubelet.registration_service import RegistrationService
from furiosa_npu.kubelet.unix_server import UnixServer
from furiosa_npu.watch.conditions import Conditions

LOOK_SECONDS = 1.0
"""Between two looks at the sockets, and whether pods hold anything yet."""

_SUFFIX = "-names.sock"
_MAXIMUM_BYTES = 16 << 20
_MAXIMUM_REASON = 1024
"""characters that are kept of what a peer says"""


class PluginSuccessor:
    """One instance's, for a driver that has the plane."""

    def __init__(
        self,
        resources: Iterable[str],
        kubelets_folder: str,
        instance: str,
        is_over: Callable[[], bool],
        clock: Callable[[], float],
        log: Log,
        conditions: Conditions,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """`resources`: the device plugin's names; `is_over`: nothing of them is held by a pod any more."""
        self._resources = frozenset(resources)
        self._checkpoint = f"{kubelets_folder}/device-plugins/{FILE_NAME}"
        self._registry = f"{kubelets_folder}/plugins_registry"
        self._folder = f"{kubelets_folder}/plugins/{DRIVER}"
        self._instance = instance
        self._is_over = is_over
        self._clock = clock
        self._log = log
        self._conditions = conditions
        self._look_seconds = look_seconds
        self._taken: set[str] = set()

    async def run(self) -> None:
        """Returns when the kubelet knows it, and no pod holds anything of the device plugin's any more; at once where
        there was none. When it ends, or is cancelled, nothing is left in the folders.
        """
        for name in self._resources:
            remove_dead(self._registry, _prefix(name), _SUFFIX)
        known = self._known()
        servers = self._servers(sorted(known))
        try:
            while known - self._taken or (known and not self._is_over()):
                await self._keep(servers)
                await asyncio.sleep(self._look_seconds)
        finally:
            for server in reversed(servers):  # found no more, then called no more
                await server.close()

    def _known(self) -> frozenset[str]:
        """Those of the names of which the kubelet had a device plugin; all where it cannot be told."""
        try:
            with open(self._checkpoint, encoding="utf-8") as file:
                return self._resources & registered_resources(file.read(_MAXIMUM_BYTES))
        except FileNotFoundError:
            return frozenset()
        except (OSError, UnicodeDecodeError, CheckpointError):
            return self._resources  # the books, which read it too, say so

    def _servers(self, names: Sequence[str]) -> list[UnixServer]:
        if not names:
            return []
        # Resident memory: on most nodes there was no device plugin, and its messages stay where they are.
        from furiosa_npu.dra_driver import no_devices
        from furiosa_npu.kubelet.deviceplugin_v1beta1 import VERSION

        called = f"{self._folder}/{self._instance}{_SUFFIX}"
        servers = [no_devices.server(called, self._drops(called))]
        for name in names:
            info = pluginregistration_v1.PluginInfo(pluginregistration_v1.DEVICE_PLUGIN, name, called, (VERSION,))
            found = f"{self._registry}/{_prefix(name)}{self._instance}{_SUFFIX}"
            service = RegistrationService(info, partial(self._told, name))
            servers.append(UnixServer(found, [service], pluginregistration_v1.SCHEMA, self._drops(found)))
        return servers

    def _drops(self, path: str) -> DroppedPeers:
        return DroppedPeers(path, self._log, self._clock)

    async def _keep(self, servers: Iterable[UnixServer]) -> None:
        where = self._folder
        try:
            os.makedirs(self._folder, mode=0o750, exist_ok=True)
            for server in servers:
                where = server.path
                if not server.is_at_its_path():
                    await server.close()
                    await server.start()
        except OSError as error:
            self._conditions.trouble(
                "device-plugin", f"{where}: {error.strerror or error}: no socket can be made there"
            )

    def _told(self, name: str, reason: str | None) -> None:
        if reason is not None:
            text = f"{name}: the kubelet keeps the device plugin's options: {reason:.{_MAXIMUM_REASON}}"
            self._conditions.trouble("device-plugin", text)
            return
        self._taken.add(name)
        self._conditions.well("device-plugin")
        self._log.info("in the device plugin's place, without devices", resource=name)


def _prefix(resource: str) -> str:
    return resource.replace("/", "_") + "-"
