"""A run beside the peers: one real API server, one plane after the other, each at rest for a minute."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from tests.protocol.dra_kubelet import HEALTH_SERVICES, DraKubelet
from tests.protocol.plugin_node import free_port, get

from benchmarks import plugins
from benchmarks.cards import living_cards
from benchmarks.installation import IMAGES_VERSIONS, Installation
from benchmarks.kube_apiserver import KubeApiserver, kube_apiserver
from benchmarks.peers import programs as peers
from benchmarks.peers.figures import DevicePluginPlane, DraPlane, Figures
from benchmarks.peers.ours import Ours
from benchmarks.peers.programs import Programs
from benchmarks.plugins import DEVICE_PLUGINS, NODE, Place
from benchmarks.process_figures import Memory, at_rest
from benchmarks.run import SECONDS_TO_SETTLE, say
from benchmarks.running import running
from benchmarks.sample_plugin import DEVICES
from furiosa_npu.dra_driver.names import DRIVER

SCRAPES = 10
SECONDS_TO_ANSWER = 30.0
SECONDS_AT_REST = 60.0


async def run(folder: Path, programs: Programs) -> Figures:
    """Everything that is measured."""
    say("installing the package with the image's versions")
    image = Installation(folder / "image", IMAGES_VERSIONS)
    image.compile()
    with living_cards(folder / "sim") as simulation, kube_apiserver(folder / "api") as server:
        server.add_node(NODE)
        server.kubectl("apply", f"--filename={programs.nfds_kinds}")
        ours = Ours(image, simulation.roots, server.kubeconfig)
        return Figures(
            await _device_plugin_plane(ours, programs, server, folder / "device-plugin-plane"),
            await _dra_plane(ours, programs, server, folder / "dra-plane"),
        )


async def _device_plugin_plane(
    ours: Ours, programs: Programs, server: KubeApiserver, folder: Path
) -> DevicePluginPlane:
    say("three jobs: our plugin and labeller, the sample plugin, NFD's worker, node_exporter")
    place = Place(DEVICE_PLUGINS, folder)
    kubelet = await plugins.start_kubelet(place)
    plugins_port, labellers_port, exporters_port, workers_port = (free_port() for _ in range(4))
    pids = []
    async with AsyncExitStack() as stack:
        stack.push_async_callback(kubelet.stop)
        for plugin in (ours.plugin(place, plugins_port), plugins.newest_sample(programs.sample_plugin)):
            process = (await plugins.start(plugin, kubelet, DEVICES, folder)).process
            stack.callback(process.wait)
            stack.callback(process.kill)
            pids.append(process.pid)
        labeller = ours.labeller(labellers_port)
        worker = peers.nfd_worker(programs.nfd_worker, NODE, server.kubeconfig, workers_port)
        exporter = peers.node_exporter(programs.node_exporter, exporters_port)
        pids += [stack.enter_context(running(program, folder)) for program in (labeller, worker, exporter)]
        await _wait(server, "the labeller's labels", lambda: _is_labelled(server))
        await _wait(server, "NFD's first look", lambda: server.items("nodefeatures.nfd.k8s-sigs.io"))
        for port in (plugins_port, labellers_port, exporters_port):
            await _scrape(port)
        return DevicePluginPlane(*await _resting(pids))


async def _dra_plane(ours: Ours, programs: Programs, server: KubeApiserver, folder: Path) -> DraPlane:
    say("DRA: our driver and dra-example-driver")
    place, others_place = (Place(f"{folder}/{name}/kubelet/device-plugins", folder / name) for name in ("ours", "go"))
    kubelet, others_kubelet = (DraKubelet(f"{each.folder}/kubelet") for each in (place, others_place))
    port = free_port()
    driver = ours.dra_driver(Path(kubelet.folder), place, port)
    other = peers.dra_example_driver(programs.dra_example_driver, NODE, server.kubeconfig, others_place.folder)
    async with AsyncExitStack() as stack:
        books = await plugins.start_kubelet(place)
        stack.push_async_callback(books.stop)
        pids = []
        for program, node, name in ((driver, kubelet, DRIVER), (other, others_kubelet, peers.DRA_DRIVER_NAME)):
            await stack.enter_async_context(node.living())
            pids.append(stack.enter_context(running(program, folder)))
            await _known(server, node, name)
            if set(HEALTH_SERVICES) & set(node.driver.info.supported_versions):
                await stack.enter_async_context(node.watch())
        await _scrape(port)
        return DraPlane(*await _resting(pids))


async def _known(server: KubeApiserver, kubelet: DraKubelet, driver: str) -> None:
    """To the scheduler and to its kubelet."""
    await _wait(server, f"all devices of {driver} stand in slices", lambda: _has_all(server, driver))
    await _wait(server, f"{driver} is registered", lambda: kubelet.registered)


async def _wait(server: KubeApiserver, what: str, holds: Callable[[], object]) -> None:
    await asyncio.to_thread(server.wait, what, holds)


def _is_labelled(server: KubeApiserver) -> bool:
    return any("furiosa.ai/" in label for node in server.items("nodes") for label in node["metadata"].get("labels", ()))


def _has_all(server: KubeApiserver, driver: str) -> bool:
    """So many whole devices stand in its slices, beside parts of them."""
    slices = server.items("resourceslices", f"--field-selector=spec.driver={driver}")
    names = [device["name"] for one in slices for device in one["spec"].get("devices", ())]
    return sum("-pe" not in name for name in names) == DEVICES


async def _scrape(port: int) -> None:
    """As often, once it answers at all. Raises TimeoutError."""
    async with asyncio.timeout(SECONDS_TO_ANSWER):
        left = SCRAPES
        while left:
            try:
                status, _ = await get(port, "/metrics")
            except ConnectionRefusedError:
                pass
            else:
                left -= status == 200
            await asyncio.sleep(0.2)


async def _resting(pids: list[int]) -> list[Memory]:
    say(f"all at rest, side by side: {SECONDS_AT_REST:.0f} s and {SECONDS_TO_SETTLE:.0f} s before")
    await asyncio.sleep(SECONDS_TO_SETTLE)
    return [rest.memory for rest in await asyncio.to_thread(at_rest, pids, SECONDS_AT_REST)]
