"""A kubelet stand-in in this process: it speaks the real protocol to real device plugins, and runs no container.

What it does, and in which order, is that of Kubernetes 1.20's device manager, with the stricter registration of newer
kubelets: the plugin is called back before `Register` is answered.
"""

import asyncio
import os
from collections.abc import Callable, Sequence

from furiosa_npu.demo import checkpoint_file
from furiosa_npu.demo.admission import Admission, AdmissionError
from furiosa_npu.demo.calls import Call, Journal
from furiosa_npu.demo.device_books import DeviceBooks
from furiosa_npu.demo.kubelet_services import PodResourcesService, RegistrationError, RegistrationService
from furiosa_npu.demo.plugin_client import PluginClient, PluginError
from furiosa_npu.demo.pods import Container, Pod, PodStatus, requests
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet import podresources_v1 as podresources
from furiosa_npu.kubelet.checkpoint import FILE_NAME
from furiosa_npu.kubelet.unix_server import UnixServer


class Kubelet:
    """One node's kubelet, and the scheduler that sends it pods: `run` is `kubectl apply`, `end` is `kubectl delete`."""

    def __init__(self, device_plugins_dir: str, pod_resources_socket: str, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self.journal = Journal()
        self.books = DeviceBooks()
        self.refuses: str | None = None
        """why every registration is refused, or None: it is taken"""
        self._dir = device_plugins_dir
        self._clock = clock
        self._admission = Admission(self.books, self.plugin, self._write_checkpoint)
        self._plugins: dict[str, PluginClient] = {}
        self._watches: set[asyncio.Task[None]] = set()
        self._pods: dict[str, Pod] = {}
        self._servers = (
            UnixServer(
                f"{device_plugins_dir}/{v1beta1.KUBELET_SOCKET}", [RegistrationService(self._register)], v1beta1.SCHEMA
            ),
            UnixServer(pod_resources_socket, [PodResourcesService(self._list_pods)], podresources.SCHEMA),
        )
        self._admitting = asyncio.Lock()

    async def start(self) -> None:
        """Empties the plugins' folder but for the checkpoint, reads that, and serves."""
        _remove_sockets(self._dir)
        checkpoint_file.restore(f"{self._dir}/{FILE_NAME}", self.books)
        for server in reversed(self._servers):
            await server.start()

    async def stop(self) -> None:
        """Hangs up on plugins and callers, and forgets what is not in the checkpoint; the pods run on."""
        for server in self._servers:
            await server.close()
        watches = tuple(self._watches)
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        self._plugins.clear()
        self.books.allotments.clear()
        self.books.lists.clear()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def hang_up(self, resource: str) -> None:
        """Ends the ListAndWatch stream of a resource from this side."""
        for watch in self._watches:
            if watch.get_name() == resource:
                watch.cancel()

    def allocatable(self, resource: str) -> int:
        return self.books.allocatable(resource)

    def capacity(self, resource: str) -> int:
        return self.books.capacity(resource, self._clock())

    async def run(self, pod: Pod) -> PodStatus:
        """Schedules, admits and starts the pod; one that is Pending for want of devices may be run again.

        Pods that are run at once are all scheduled before the first is admitted; admission is serial.
        """
        lacking = self._insufficient(pod)
        if lacking is not None:
            return PodStatus("Pending", "Unschedulable", lacking)
        self._pods[pod.uid] = pod
        async with self._admitting:
            try:
                await self._admission.admit(pod, active=frozenset(self._pods))
            except AdmissionError as error:
                del self._pods[pod.uid]
                message = f"Allocate failed due to {error}, which is unexpected"
                return PodStatus("Failed", "UnexpectedAdmissionError", message)
        for container in pod.all_containers:
            status = await self.start_container(pod, container)
            if status.phase != "Running":
                return status
        return PodStatus("Running")

    async def start_container(self, pod: Pod, container: Container) -> PodStatus:
        """What comes before each start of a container, its restarts too: `PreStartContainer` for each resource."""
        for resource in filter(container.limits.get, container.limits):
            plugin = self.plugin(resource)
            held = self.books.held(pod.uid, container.name, resource)
            try:
                if plugin is None or held is None:
                    raise PluginError(f"no devices of {resource} are allocated to container {container.name}")
                await plugin.pre_start(held)
            except PluginError as error:
                message = f"device plugin PreStartContainer rpc failed with err: {error}"
                return PodStatus("Pending", "CreateContainerConfigError", message)
        return PodStatus("Running")

    def end(self, pod: Pod) -> None:
        """The pod is over. Its devices stay in the books until a `List` or the next admission looks: nobody is told."""
        del self._pods[pod.uid]

    def container(self, pod: Pod, name: str) -> v1beta1.ContainerAllocateResponse:
        """What the container runs with: devices, mounts and environment of all its resources."""
        return self.books.merged_answer(pod.uid, name)

    def plugin(self, resource: str) -> PluginClient | None:
        """Who registered the resource last, to be called past the books."""
        return self._plugins.get(resource)

    def _insufficient(self, pod: Pod) -> str | None:
        for resource, wanted in requests(pod).items():
            requested = sum(requests(other).get(resource, 0) for other in self._pods.values())
            if self.allocatable(resource) - requested < wanted:
                return f"0/1 nodes are available: 1 Insufficient {resource}."
        return None

    async def _register(self, request: v1beta1.RegisterRequest) -> None:
        try:
            await self._take(request)
        except RegistrationError as error:
            self.journal.enter(Call("Register", request.resource_name, request, str(error)))
            raise

    async def _take(self, request: v1beta1.RegisterRequest) -> None:
        if self.refuses is not None:
            raise RegistrationError(self.refuses)
        if request.version != v1beta1.VERSION:
            raise RegistrationError(
                f"requested API version {request.version!r} is not supported, only {v1beta1.VERSION}"
            )
        self.journal.enter(Call("Register", request.resource_name, request, v1beta1.Empty()))
        resource = request.resource_name
        plugin = PluginClient(f"{self._dir}/{request.endpoint}", resource, request.options, self.journal)
        try:
            await plugin.get_options()
        except PluginError as error:
            plugin.close()
            raise RegistrationError(f"failed to get device plugin options: {error}") from error
        self._plugins[resource] = plugin
        watch = asyncio.create_task(self._watch(plugin), name=resource)
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)

    async def _watch(self, plugin: PluginClient) -> None:
        """The one ListAndWatch stream of a registration; it is never opened again."""

        def listed(devices: Sequence[v1beta1.Device]) -> None:
            self.books.listed(plugin.resource, devices)
            self._write_checkpoint()

        reason = "the kubelet closed it"
        try:
            reason = await plugin.watch(listed)
        finally:
            plugin.close()
            if self._plugins.get(plugin.resource) is plugin:
                self.books.plugin_gone(plugin.resource, self._clock())
            self.journal.enter(Call("ListAndWatch", plugin.resource, v1beta1.Empty(), f"ended: {reason}"))

    def _list_pods(self) -> podresources.ListPodResourcesResponse:
        self.books.drop_all_but(self._pods)
        response = podresources.ListPodResourcesResponse(tuple(map(self._pod_resources, self._pods.values())))
        self.journal.enter(Call("List", "", podresources.ListPodResourcesRequest(), response))
        return response

    def _pod_resources(self, pod: Pod) -> podresources.PodResources:
        """App containers alone: 1.20 never lists what init containers hold."""
        containers = []
        for container in pod.containers:
            held = [(resource, self.books.held(pod.uid, container.name, resource)) for resource in container.limits]
            devices = tuple(podresources.ContainerDevices(resource, ids) for resource, ids in held if ids is not None)
            containers.append(podresources.ContainerResources(container.name, devices))
        return podresources.PodResources(pod.name, pod.namespace, tuple(containers))

    def _write_checkpoint(self) -> None:
        checkpoint_file.write(f"{self._dir}/{FILE_NAME}", checkpoint_file.render(self.books))


def _remove_sockets(folder: str) -> None:
    """All that is not the checkpoint and no folder (`removeContents`): plugins see by it that the kubelet is new."""
    for name in os.listdir(folder):
        if name != FILE_NAME and not os.path.isdir(f"{folder}/{name}"):
            os.unlink(f"{folder}/{name}")
