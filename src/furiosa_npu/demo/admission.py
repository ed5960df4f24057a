"""How the kubelet picks and allocates devices for a pod, container by container.

Source: `allocateContainerResources` and `devicesToAllocate` in Kubernetes 1.20's `pkg/kubelet/cm/devicemanager/
manager.go`, with the topology manager's policy `none`.
"""

from collections.abc import Callable, Collection

from furiosa_npu.demo.device_books import Allotment, DeviceBooks, Place
from furiosa_npu.demo.plugin_client import PluginClient, PluginError
from furiosa_npu.demo.pods import Container, Pod


class AdmissionError(Exception):
    """The pod cannot run: the plugin's refusal, or what the kubelet itself found lacking."""


class Admission:
    """Admits pods, one at a time (the caller sees to that)."""

    def __init__(
        self, books: DeviceBooks, plugin: Callable[[str], PluginClient | None], write_checkpoint: Callable[[], None]
    ) -> None:
        self._books = books
        self._plugin = plugin
        self._write_checkpoint = write_checkpoint

    async def admit(self, pod: Pod, active: Collection[str]) -> None:
        """Allocates for all containers of the pod. `active`: UIDs of the pods that have not ended, this one among them.

        What init containers were given goes on to the app containers. Raises AdmissionError; what was allotted until
        then stays in the books, as it does with pods that end.
        """
        reusable: dict[str, set[str]] = {}
        for container in pod.init_containers:
            await self._allocate(pod, container, reusable, active)
            for resource in container.limits:
                given = self._books.held(pod.uid, container.name, resource) or ()
                reusable.setdefault(resource, set()).update(given)
        for container in pod.containers:
            await self._allocate(pod, container, reusable, active)
            for resource in container.limits:
                given = self._books.held(pod.uid, container.name, resource) or ()
                reusable.setdefault(resource, set()).difference_update(given)

    async def _allocate(
        self, pod: Pod, container: Container, reusable: dict[str, set[str]], active: Collection[str]
    ) -> None:
        if not container.limits:
            return
        self._books.drop_all_but(active)
        for resource, count in container.limits.items():
            if count == 0:
                continue
            plugin = self._plugin(resource)
            if plugin is None:
                raise AdmissionError(f"can't allocate unregistered device {resource}")
            try:
                ids = await self._choose(plugin, count, reusable.get(resource, set()))
                answer = await plugin.allocate(ids)
            except PluginError as error:
                raise AdmissionError(str(error)) from error
            self._books.allotments[Place(pod.uid, container.name, resource)] = Allotment(ids, answer)
        self._write_checkpoint()

    async def _choose(self, plugin: PluginClient, count: int, reusable: Collection[str]) -> tuple[str, ...]:
        """The pod's own devices first, then what the plugin prefers, then any."""
        chosen = sorted(reusable)[:count]
        if len(chosen) == count:
            return tuple(chosen)
        free = self._books.free(plugin.resource)
        lacking = count - len(chosen)
        if len(free) < lacking:
            raise AdmissionError(
                f"requested number of devices unavailable for {plugin.resource}. "
                f"Requested: {lacking}, Available: {len(free)}"
            )
        preferred = await plugin.preferred(sorted({*free, *chosen}), chosen, count)
        candidates = [*sorted(set(preferred) & set(free)), *free]
        return tuple(dict.fromkeys([*chosen, *candidates]))[:count]
