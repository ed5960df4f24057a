"""One run: two kubelet stand-ins, our plugin twice, both sample plugins, the labeller, and cards that live."""

import asyncio
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.protocol.api_server import ApiServer, api_server, kubeconfig

from benchmarks import labeller, measurements, plugins
from benchmarks.cards import living_cards
from benchmarks.figures import Figures, PluginFigures, Requests
from benchmarks.installation import IMAGES_ENVIRONMENT, IMAGES_VERSIONS, Installation
from benchmarks.measurements import Seat
from benchmarks.plugins import Place
from benchmarks.process_figures import at_rest
from benchmarks.sample_plugin import DEVICES, LEFTOVERS, Samples
from furiosa_npu.simulator import Simulation

STARTS = 9
ALLOCATIONS = 2000
RETURNS = 10
SECONDS_TO_SETTLE = 30.0
"""from all devices listed to the figures at rest"""


async def run(folder: Path, programs: Samples, minutes: int) -> Figures:
    """Everything that is measured; `minutes` of it idle."""
    say("installing the package twice: as pip leaves it, and with the image's versions")
    pip, image = Installation(folder / "pip"), Installation(folder / "image", IMAGES_VERSIONS)
    first = Place(plugins.DEVICE_PLUGINS, folder / "first")
    second = Place(f"{folder}/second/device-plugins", folder / "second")
    with ExitStack() as stack:
        simulation = stack.enter_context(living_cards(folder / "sim"))
        roots = simulation.roots
        for leftover in LEFTOVERS:
            stack.callback(Path(leftover).unlink, missing_ok=True)
        server = stack.enter_context(api_server())
        server.nodes[plugins.NODE] = {}
        config = kubeconfig(folder, server.url)
        kubelets = [await plugins.start_kubelet(place) for place in (first, second)]
        by_pip = plugins.ours("pip", pip.command("furiosa-npu-plugin"), (pip.python,), roots, first, config, {})
        in_image = plugins.ours(
            "image",
            image.images_command("device_plugin"),
            image.images_python(),
            roots,
            second,
            config,
            IMAGES_ENVIRONMENT,
        )
        seats = (
            Seat(by_pip, kubelets[0]),
            Seat(in_image, kubelets[1]),
            *(Seat(program, kubelets[0]) for program in plugins.samples(programs)),
        )
        try:
            return await _measured(seats, simulation, server, image.images_command("node_labeller"), minutes, folder)
        finally:
            for kubelet in kubelets:
                await kubelet.stop()


async def _measured(
    seats: tuple[Seat, ...],
    simulation: Simulation,
    server: ApiServer,
    labellers_words: tuple[str, ...],
    minutes: int,
    folder: Path,
) -> Figures:
    say(f"{STARTS} starts of each plugin in turn")
    starts = await measurements.starts(seats, DEVICES, STARTS, folder)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for seat in seats:
            processes.append((await plugins.start(seat.program, seat.kubelet, DEVICES, folder)).process)
            await asyncio.sleep(1)  # a sample plugin names its socket after the second of its start
        with labeller.running(labellers_words, simulation.roots, folder / "labeller's bytecode"):
            pass  # which the image has in place; who compiles it keeps half a MiB
        with labeller.running(labellers_words, simulation.roots, folder / "labeller") as labels:
            say(f"all at rest, side by side: {minutes} min and {SECONDS_TO_SETTLE:.0f} s before")
            await asyncio.sleep(SECONDS_TO_SETTLE)
            servers = (server, labels.server)
            before = [len(of.seen) for of in servers]
            pids = [*(process.pid for process in processes), labels.pid]
            *rests, labellers_rest = await asyncio.to_thread(at_rest, pids, minutes * 60.0)
            requests = [_requests(of, since) for of, since in zip(servers, before, strict=True)]
        say(f"{ALLOCATIONS} calls of Allocate to each plugin in turn")
        allocations = await measurements.allocations(seats, ALLOCATIONS)
        for process in processes[1:]:
            process.kill()
        # What was just handed out under one name is kept from the other until the kubelet has not shown it for a while.
        await plugins.until_allocatable(seats[0].kubelet, seats[0].program, DEVICES)
        say(f"{RETURNS} times a kubelet that comes back, then a fault of each card")
        returns = await measurements.returns(seats[0], DEVICES, RETURNS)
        failures = await measurements.failures(seats[0], simulation, DEVICES)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    pip, image, old, newest = map(PluginFigures, rests, starts, allocations)
    return Figures(pip, image, old, newest, labellers_rest, failures, returns, minutes, *requests)


def _requests(server: ApiServer, since: int) -> Requests:
    methods = [seen.method for seen in server.seen[since:]]
    reads = sum(method == "GET" for method in methods)
    return Requests(reads, len(methods) - reads)


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(f"scripts/bench: {text}", file=sys.stderr, flush=True)
