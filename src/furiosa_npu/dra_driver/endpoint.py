"""The sockets of one instance of the driver: the kubelet finds one in its registry folder, and calls on the other.

During a rolling update two instances are registered at once (Kubernetes 1.33 and later), each by sockets of its own.
The kubelet calls the one that registered last and whose socket answers, then the other one; started anew it registers
both, in any order. It looks at its registry folder once a second: a socket that went there is an instance that leaves,
and its connection to the driver's socket is closed, calls under way with it. Source: the kubelet's
`pkg/kubelet/pluginmanager` and `pkg/kubelet/cm/dra/plugin`.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from furiosa_npu.agent.dropped_peers import DroppedPeers
from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.instance_order import InstanceOrder
from furiosa_npu.dra_driver.instances import Instances
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.kubelet import dra_health_v1, dra_v1, pluginregistration_v1
from furiosa_npu.kubelet.dead_sockets import remove_dead
from furiosa_npu.kubelet.dra_service import DraPlugin, DraService
from furiosa_npu.kubelet.registration_service import RegistrationService
from furiosa_npu.kubelet.resource_health_service import ResourceHealthService
from furiosa_npu.kubelet.unix_server import UnixServer
from furiosa_npu.watch.conditions import Conditions

SOCKETS, REGISTRATION = "sockets", "registration"
"""Parts of the conditions: both have to be well before the kubelet can call."""

LOOK_SECONDS = 30.0
"""Between two looks at the sockets, should an event of the folders be lost."""
FOLDER_SECONDS = 1.0
"""Between two tries to serve, while there is no folder, or none to write in."""
CALLS_SECONDS = 2.0
"""For which calls that are under way are waited for before an instance leaves."""
LEAVE_SECONDS = 4.0
"""All in all. A kubelet lets go of an instance that leaves within a second or two; one that hangs is not waited for."""

_MAXIMUM_REASON = 1024
"""characters that are kept of what a peer says"""
_MAXIMUM_PATH = 107
"""bytes of a socket's path (unix(7))"""
_UNREGISTERED = "the kubelet has not registered this driver yet: it looks for sockets in {folder} (Kubernetes 1.34 on)"
_REGISTRY_SUFFIX = "-reg.sock"


class Endpoint:
    """Keeps both sockets there. `run` does it until cancelled; `wake` tells it that something happened."""

    def __init__(
        self,
        plugin: DraPlugin,
        health: Callable[[], AsyncIterator[dra_health_v1.NodeWatchResourcesResponse]],
        kubelets_folder: str,
        instance: str,
        clock: Callable[[], float],
        log: Log,
        conditions: Conditions,
        on_registered: Callable[[], None],
        on_twice: Callable[[str], None],
    ) -> None:
        """`kubelets_folder`: `/var/lib/kubelet`; `instance`: what no other instance is called, e.g. its pod's UID.

        `on_registered`: the kubelet took the driver. One that just started deletes the node's ResourceSlices.
        `on_twice`: another instance stays beside this one, said in words.
        """
        self._registry = f"{kubelets_folder}/plugins_registry"
        self._folder = f"{kubelets_folder}/plugins/{DRIVER}"
        self._clock = clock
        self._log = log
        self._conditions = conditions
        self._on_registered = on_registered
        self._awake = asyncio.Event()
        self.registrations = 0
        called, found = f"{self._folder}/{instance}.sock", f"{self._registry}/{DRIVER}-{instance}{_REGISTRY_SUFFIX}"
        info = pluginregistration_v1.PluginInfo(
            pluginregistration_v1.DRA_PLUGIN,
            DRIVER,
            called,
            (dra_v1.SUPPORTED_VERSION, *dra_health_v1.SUPPORTED_VERSIONS),
        )
        self._driver = UnixServer(
            called,
            [DraService(plugin), ResourceHealthService(health)],
            {**dra_v1.SCHEMA, **dra_health_v1.SCHEMA},
            DroppedPeers(called, log, clock),
        )
        self._registration = UnixServer(
            found,
            [RegistrationService(info, self._told)],
            pluginregistration_v1.SCHEMA,
            DroppedPeers(found, log, clock),
        )
        self._order = InstanceOrder(self._folder, instance)
        self._instances = Instances(self._order, clock, conditions, on_twice)
        self._wait_for_kubelet()

    @property
    def folders(self) -> tuple[str, str]:
        """Where events may mean that a socket went, or came: `wake` is for them."""
        return self._registry, self._folder

    def wake(self) -> None:
        """The folders changed: look at once."""
        self._awake.set()

    async def run(self) -> None:
        """Ends when cancelled; then no socket of this instance is left in the folders."""
        try:
            while True:
                seconds = LOOK_SECONDS if await self.keep() else FOLDER_SECONDS
                self.remove_dead()
                self._instances.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._awake.wait()
                self._awake.clear()
        finally:
            await self.close()

    async def keep(self) -> bool:
        """Binds what is not at its place, now or any more: the socket that is called before the one that is found.
        True: both are there, and this instance has its place among the others."""
        where = self._folder
        try:
            os.makedirs(self._folder, mode=0o750, exist_ok=True)
            for server in (self._driver, self._registration):
                where = server.path
                if not server.is_at_its_path():
                    await server.close()
                    await server.start()
                    self._wait_for_kubelet()
            where = self._folder
            namesake = self._order.join()
        except OSError as error:
            self._conditions.trouble(SOCKETS, _unserved(where, error))
            return False
        self._conditions.well(SOCKETS)
        if namesake is not None:
            self._instances.namesake(namesake)
        return True

    async def close(self) -> None:
        """What was called is answered; then found no more, then called no more: what the kubelet calls before it knows
        is still answered, if it can be before the kubelet lets go.
        """
        until = self._clock() + LEAVE_SECONDS
        await self._driver.answered(CALLS_SECONDS)
        await self._registration.close()
        self._order.leave()
        await self._driver.deserted(until - self._clock())
        await self._driver.close()

    def is_newest(self) -> bool:
        """No other instance that lives has come after this one, nor came while it was there."""
        return self._order.is_newest()

    def is_alone(self) -> bool:
        """The kubelet calls this instance, and there is no other one that lives."""
        return self.registrations > 0 and self._order.is_alone()

    def remove_dead(self) -> None:
        """Removes the sockets of instances that were killed."""
        places = ((self._registry, f"{DRIVER}-", _REGISTRY_SUFFIX), (self._folder, "", ".sock"))
        for path in (path for place in places for path in remove_dead(*place)):
            self._log.info("removed the socket of an instance that is gone", socket=path)

    def _told(self, reason: str | None) -> None:
        if reason is not None:
            reason = f"the kubelet does not register this driver: {reason:.{_MAXIMUM_REASON}}"
            self._conditions.trouble(REGISTRATION, reason)
            return
        self.registrations += 1
        self._log.info("registered with the kubelet", driver=DRIVER, socket=self._driver.path)
        self._conditions.well(REGISTRATION)
        self._on_registered()

    def _wait_for_kubelet(self) -> None:
        self._conditions.waiting(REGISTRATION, _UNREGISTERED.format(folder=self._registry))


def _unserved(path: str, error: OSError) -> str:
    length = len(os.fsencode(path))
    if length > _MAXIMUM_PATH:
        return f"{path}: a path of {length} bytes, expected {_MAXIMUM_PATH} at most for a socket"
    text = error.strerror or str(error)
    return f"{path}: {text}: no socket can be made there, expected the kubelet's folder, writable"
