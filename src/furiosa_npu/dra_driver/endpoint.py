"""The sockets of one instance of the driver: the kubelet finds one in its registry folder, and calls on the other.

During a rolling update two instances are registered at once (Kubernetes 1.33 and later), each by sockets of its own;
the kubelet calls the one that registered last, and the other one again when that is gone. Source: the kubelet's
`pkg/kubelet/pluginmanager` and `pkg/kubelet/cm/dra/plugin`.
"""

import errno
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.kubelet import dra_health_v1, dra_v1, pluginregistration_v1
from furiosa_npu.kubelet.dra_service import DraPlugin, DraService
from furiosa_npu.kubelet.registration_service import RegistrationService
from furiosa_npu.kubelet.resource_health_service import ResourceHealthService
from furiosa_npu.kubelet.unix_server import UnixServer
from furiosa_npu.watch.conditions import Conditions

PART = "registration"
_UNREGISTERED = "the kubelet has not registered this driver yet: it looks for sockets in {folder} (Kubernetes 1.34 on)"
_REGISTRY_SUFFIX = "-reg.sock"


class Endpoint:
    """Keeps both sockets there between `keep` and `close`."""

    def __init__(
        self,
        plugin: DraPlugin,
        health: Callable[[], AsyncIterator[dra_health_v1.NodeWatchResourcesResponse]],
        kubelets_folder: str,
        instance: str,
        log: Log,
        conditions: Conditions,
    ) -> None:
        """`kubelets_folder`: `/var/lib/kubelet`; `instance`: what no other instance is called, e.g. its pod's UID."""
        self._registry = f"{kubelets_folder}/plugins_registry"
        self._folder = f"{kubelets_folder}/plugins/{DRIVER}"
        self._log = log
        self._conditions = conditions
        self.registrations = 0
        path = f"{self._folder}/{instance}.sock"
        info = pluginregistration_v1.PluginInfo(
            pluginregistration_v1.DRA_PLUGIN,
            DRIVER,
            path,
            (dra_v1.SUPPORTED_VERSION, *dra_health_v1.SUPPORTED_VERSIONS),
        )
        schema = {**dra_v1.SCHEMA, **dra_health_v1.SCHEMA}
        self._driver = UnixServer(path, [DraService(plugin), ResourceHealthService(health)], schema, self._dropped)
        self._registration = UnixServer(
            f"{self._registry}/{DRIVER}-{instance}{_REGISTRY_SUFFIX}",
            [RegistrationService(info, self._told)],
            pluginregistration_v1.SCHEMA,
            self._dropped,
        )
        conditions.waiting(PART, _UNREGISTERED.format(folder=self._registry))

    async def keep(self) -> None:
        """Binds what is not at its place, now or any more: the socket that is called before the one that is found."""
        try:
            os.makedirs(self._folder, mode=0o750, exist_ok=True)
            for server in (self._driver, self._registration):
                if not server.is_at_its_path():
                    await server.close()
                    await server.start()
                    self._conditions.waiting(PART, _UNREGISTERED.format(folder=self._registry))
        except OSError as error:
            where = error.filename or self._registry
            reason = f"{where}: {error.strerror or error}: the kubelet's folder is not there or not writable"
            self._conditions.trouble(PART, reason)

    async def close(self) -> None:
        """Ends calls and connections, and removes the sockets: found no more before called no more."""
        await self._registration.close()
        await self._driver.close()

    def is_newest(self) -> bool:
        """No other instance that lives has come after this one."""
        try:
            own = os.stat(self._registration.path).st_ctime_ns
            others = [f"{self._registry}/{name}" for name in os.listdir(self._registry) if _is_ours(name)]
            later = [path for path in others if os.stat(path).st_ctime_ns > own]
        except OSError:
            return False  # one of them came or went: looked at again in a moment
        return all(map(_is_dead, later))

    def remove_dead(self) -> None:
        """Removes the sockets of instances that ended without doing so: nobody answers on them."""
        for folder, prefix, suffix in ((self._registry, f"{DRIVER}-", _REGISTRY_SUFFIX), (self._folder, "", ".sock")):
            with suppress(OSError):
                for name in os.listdir(folder):
                    if name.startswith(prefix) and name.endswith(suffix) and _is_dead(f"{folder}/{name}"):
                        os.unlink(f"{folder}/{name}")

    def _told(self, reason: str | None) -> None:
        if reason is None:
            self.registrations += 1
            self._log.info("registered with the kubelet", driver=DRIVER, socket=self._driver.path)
            self._conditions.well(PART)
        else:
            self._conditions.trouble(PART, f"the kubelet does not register this driver: {reason}")

    def _dropped(self, reason: str) -> None:
        self._log.warning("dropped a peer", reason=reason)


def _is_ours(name: str) -> bool:
    return name.startswith(f"{DRIVER}-") and name.endswith(_REGISTRY_SUFFIX)


def _is_dead(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as peer:
        return peer.connect_ex(path) == errno.ECONNREFUSED
