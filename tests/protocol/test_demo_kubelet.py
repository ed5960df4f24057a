"""The kubelet stand-in against a scripted plugin: order and content of its calls are those of Kubernetes 1.20."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from furiosa_npu.demo.kubelet import Kubelet
from furiosa_npu.demo.pods import Container, Pod, PodStatus
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.checkpoint import parse_checkpoint
from furiosa_npu.kubelet.client import KubeletError, list_pod_resources
from furiosa_npu.kubelet.plugin_service import PluginService, Refusal
from furiosa_npu.kubelet.podresources_v1 import ContainerDevices, ContainerResources, PodResources
from furiosa_npu.kubelet.registration_client import register
from furiosa_npu.kubelet.unix_server import UnixServer
from tests.protocol.plugin_node import SECONDS

RESOURCE = "example.com/thing"
OPTIONS = v1beta1.DevicePluginOptions(pre_start_required=True, get_preferred_allocation_available=True)


class Scripted:
    """A plugin that lists what it is told, prefers the last, and refuses where it is told to."""

    def __init__(self, *ids: str) -> None:
        self.devices = tuple(v1beta1.Device(name, v1beta1.HEALTHY, None) for name in ids)
        self.refuses: str | None = None
        self.ended = asyncio.Event()
        self.opened = 0

    def options(self) -> v1beta1.DevicePluginOptions:
        return OPTIONS

    async def lists(self) -> AsyncGenerator[v1beta1.ListAndWatchResponse, None]:
        self.opened += 1
        yield v1beta1.ListAndWatchResponse(self.devices)
        await self.ended.wait()

    def preferred_allocation(self, request: v1beta1.PreferredAllocationRequest) -> v1beta1.PreferredAllocationResponse:
        (container,) = request.container_requests
        chosen = sorted(container.available_device_ids, reverse=True)[: container.allocation_size]
        return v1beta1.PreferredAllocationResponse((v1beta1.ContainerPreferredAllocationResponse(tuple(chosen)),))

    async def allocate(self, request: v1beta1.AllocateRequest) -> v1beta1.AllocateResponse:
        if self.refuses is not None:
            raise Refusal(self.refuses)
        envs = {"IDS": ",".join(request.container_requests[0].devices_ids)}
        return v1beta1.AllocateResponse((v1beta1.ContainerAllocateResponse(envs, (), ()),))

    async def pre_start_container(self, request: v1beta1.PreStartContainerRequest) -> v1beta1.PreStartContainerResponse:
        if self.refuses is not None:
            raise Refusal(self.refuses)
        return v1beta1.PreStartContainerResponse()


class Bench:
    """A kubelet in a folder."""

    def __init__(self, folder: str) -> None:
        self.dir = f"{folder}/plugins"
        self.socket = f"{folder}/pod-resources.sock"
        os.mkdir(self.dir)
        self.now = 0.0
        self.kubelet = Kubelet(self.dir, self.socket, lambda: self.now)

    async def register(self, endpoint: str, options: v1beta1.DevicePluginOptions | None = OPTIONS) -> None:
        request = v1beta1.RegisterRequest(v1beta1.VERSION, endpoint, RESOURCE, options)
        await register(f"{self.dir}/kubelet.sock", request, SECONDS)

    async def until_allocatable(self, count: int) -> None:
        await self.kubelet.journal.until(
            lambda: self.kubelet.allocatable(RESOURCE) == count, f"{count} allocatable", seconds=SECONDS
        )


@asynccontextmanager
async def bench(
    folder: str, plugin: Scripted, options: v1beta1.DevicePluginOptions | None = OPTIONS
) -> AsyncIterator[Bench]:
    """A kubelet with the scripted plugin registered."""
    made = Bench(folder)
    await made.kubelet.start()
    server = UnixServer(f"{made.dir}/thing.sock", [PluginService(plugin)], v1beta1.SCHEMA)
    await server.start()
    try:
        await made.register("thing.sock", options)
        await made.until_allocatable(len(plugin.devices))
        yield made
    finally:
        await server.close()
        await made.kubelet.stop()


def _pod(name: str, *app: int, init: tuple[int, ...] = ()) -> Pod:
    def containers(kind: str, counts: tuple[int, ...]) -> tuple[Container, ...]:
        return tuple(Container(f"{kind}{at}", {RESOURCE: n} if n else {}) for at, n in enumerate(counts))

    return Pod(f"uid-{name}", name, containers("app", app), containers("init", init))


def _asked(made: Bench, method: str) -> list[object]:
    return [call.request for call in made.kubelet.journal.of(method)]


async def test_admission_asks_prefers_allocates_and_starts(folder: str) -> None:
    """Free ids sorted, the plugin's preference taken, PreStartContainer with what was allocated."""
    async with bench(folder, Scripted("a", "b", "c")) as made:
        assert await made.kubelet.run(_pod("one", 2)) == PodStatus("Running")
        container = v1beta1.ContainerPreferredAllocationRequest(("a", "b", "c"), (), 2)
        assert _asked(made, "GetPreferredAllocation") == [v1beta1.PreferredAllocationRequest((container,))]
        assert _asked(made, "Allocate") == [v1beta1.AllocateRequest((v1beta1.ContainerAllocateRequest(("b", "c")),))]
        assert _asked(made, "PreStartContainer") == [v1beta1.PreStartContainerRequest(("b", "c"))]
        assert made.kubelet.container(_pod("one", 2), "app0").envs == {"IDS": "b,c"}


async def test_init_containers_hand_their_devices_on(folder: str) -> None:
    """The app container that needs more gets those first, and they are said as what must be included."""
    async with bench(folder, Scripted("a", "b", "c")) as made:
        assert await made.kubelet.run(_pod("one", 2, 1, init=(1, 1))) == PodStatus("Running")
        ids = [call.request.container_requests[0].devices_ids for call in made.kubelet.journal.of("Allocate")]
        assert ids == [("c",), ("c",), ("c", "b"), ("a",)]
        preferred = made.kubelet.journal.of("GetPreferredAllocation")[1].request.container_requests
        assert preferred == (v1beta1.ContainerPreferredAllocationRequest(("a", "b", "c"), ("c",), 2),)


async def test_a_refused_allocate_fails_the_pod_with_the_plugins_words(folder: str) -> None:
    """UnexpectedAdmissionError, as `kubectl describe pod` shows it; the device stays free."""
    plugin = Scripted("a")
    async with bench(folder, plugin) as made:
        plugin.refuses = "not today"
        assert await made.kubelet.run(_pod("one", 1)) == PodStatus(
            "Failed",
            "UnexpectedAdmissionError",
            "Allocate failed due to rpc error: code = FailedPrecondition desc = not today, which is unexpected",
        )
        plugin.refuses = None
        assert await made.kubelet.run(_pod("two", 1)) == PodStatus("Running")


async def test_a_refused_start_leaves_the_pod_waiting(folder: str) -> None:
    """CreateContainerConfigError; the next try may succeed, and is asked anew."""
    plugin = Scripted("a")
    async with bench(folder, plugin) as made:
        pod = _pod("one", 1)
        assert await made.kubelet.run(pod) == PodStatus("Running")
        plugin.refuses = "not now"
        assert await made.kubelet.start_container(pod, pod.containers[0]) == PodStatus(
            "Pending",
            "CreateContainerConfigError",
            "device plugin PreStartContainer rpc failed with err: rpc error: code = FailedPrecondition desc = not now",
        )
        plugin.refuses = None
        assert await made.kubelet.start_container(pod, pod.containers[0]) == PodStatus("Running")


async def test_only_what_register_said_is_called(folder: str) -> None:
    """1.20 goes by the options in Register: without them no preference is asked and no start announced."""
    async with bench(folder, Scripted("a"), options=None) as made:
        assert await made.kubelet.run(_pod("one", 1)) == PodStatus("Running")
        assert _asked(made, "GetPreferredAllocation") == _asked(made, "PreStartContainer") == []


async def test_more_than_there_are_stays_pending(folder: str) -> None:
    """Free is allocatable less what running pods asked for; the plugin is not asked."""
    async with bench(folder, Scripted("a", "b")) as made:
        assert await made.kubelet.run(_pod("one", 1)) == PodStatus("Running")
        lacking = f"0/1 nodes are available: 1 Insufficient {RESOURCE}."
        assert await made.kubelet.run(_pod("two", 2)) == PodStatus("Pending", "Unschedulable", lacking)
        assert len(_asked(made, "Allocate")) == 1


async def test_a_pod_that_ended_is_in_the_books_until_somebody_looks(folder: str) -> None:
    """Neither its end nor time clears the checkpoint; a List drops it from the books, a list writes the file anew."""
    plugin = Scripted("a")
    async with bench(folder, plugin) as made:
        pod = _pod("one", 1)
        await made.kubelet.run(pod)
        made.kubelet.end(pod)
        assert _recorded(made) == [("uid-one", "app0", ("a",))]
        assert (await list_pod_resources(made.socket, SECONDS)).pod_resources == ()
        assert made.kubelet.books.allotments == {}
        assert _recorded(made) == [("uid-one", "app0", ("a",))]
        await made.register("thing.sock")
        await made.kubelet.journal.until(lambda: _recorded(made) == [], "the checkpoint is written anew", SECONDS)


async def test_pod_resources_lists_app_containers_alone(folder: str) -> None:
    """Also pods without a device; what an init container has is in the checkpoint only."""
    async with bench(folder, Scripted("a", "b")) as made:
        await made.kubelet.run(_pod("one", 0, init=(1,)))
        await made.kubelet.run(_pod("two", 1))
        listed = (await list_pod_resources(made.socket, SECONDS)).pod_resources
        assert listed == (
            PodResources("one", "default", (ContainerResources("app0", ()),)),
            PodResources("two", "default", (ContainerResources("app0", (ContainerDevices(RESOURCE, ("a",)),)),)),
        )
        assert _recorded(made) == [("uid-one", "init0", ("b",)), ("uid-two", "app0", ("a",))]


async def test_a_stream_that_ends_is_never_opened_again(folder: str) -> None:
    """Allocatable is 0 at once and capacity five minutes later, whatever the plugin's server still answers."""
    plugin = Scripted("a")
    async with bench(folder, plugin) as made:
        plugin.ended.set()
        await made.until_allocatable(0)
        assert (made.kubelet.capacity(RESOURCE), plugin.opened) == (1, 1)
        made.now += 300
        assert made.kubelet.capacity(RESOURCE) == 0
        plugin.ended.clear()
        await made.register("thing.sock")
        await made.until_allocatable(1)
        assert plugin.opened == 2


async def test_a_restart_clears_the_folder_and_keeps_the_checkpoint(folder: str) -> None:
    """Sockets go, allotments stay; nothing is allocatable until the plugin is back."""
    async with bench(folder, Scripted("a")) as made:
        pod = _pod("one", 1)
        await made.kubelet.run(pod)
        await made.kubelet.restart()
        assert sorted(os.listdir(made.dir)) == ["kubelet.sock", "kubelet_internal_checkpoint"]
        assert (made.kubelet.allocatable(RESOURCE), made.kubelet.capacity(RESOURCE)) == (0, 0)
        assert made.kubelet.container(pod, "app0").envs == {"IDS": "a"}


async def test_a_plugin_that_cannot_be_called_back_is_refused(folder: str) -> None:
    """As newer kubelets do: the error of GetDevicePluginOptions is the answer to Register."""
    made = Bench(folder)
    await made.kubelet.start()
    with pytest.raises(KubeletError, match=r"failed to get device plugin options: .*nobody\.sock|No such file"):
        await made.register("nobody.sock")
    await made.kubelet.stop()


async def test_another_version_of_the_protocol_is_refused(folder: str) -> None:
    """With the one that is spoken."""
    made = Bench(folder)
    await made.kubelet.start()
    with pytest.raises(KubeletError, match="'v2' is not supported, only v1beta1"):
        await register(f"{made.dir}/kubelet.sock", v1beta1.RegisterRequest("v2", "thing.sock", RESOURCE), SECONDS)
    await made.kubelet.stop()


def _recorded(made: Bench) -> list[tuple[str, str, tuple[str, ...]]]:
    with open(f"{made.dir}/kubelet_internal_checkpoint", encoding="utf-8") as file:
        return [(entry.pod_uid, entry.container, entry.device_ids) for entry in parse_checkpoint(file.read())]
