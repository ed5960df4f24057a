"""A node with simulated NPUs and the real device plugin, for claims about what goes over its sockets."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from furiosa_npu.demo.node import Node
from furiosa_npu.demo.plugin_client import PluginClient, PluginError
from furiosa_npu.demo.pods import Container, Pod
from furiosa_npu.hardware.reading import Family
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.linux.inotify import IN_CREATE, IN_MOVED_TO, Inotify
from furiosa_npu.simulator import Card, parse_scenario

ALPHA, PLAIN = "alpha.furiosa.ai/npu", "furiosa.ai/npu"
RESOURCES = (ALPHA, PLAIN)

SECONDS = 60.0
"""Until a test gives up; how soon something comes is for the benchmarks."""

HEALTHY, UNHEALTHY = v1beta1.HEALTHY, v1beta1.UNHEALTHY


def card_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def cards(*families: Family) -> tuple[Card, ...]:
    """A card a family, with the ids 0, 1, ... and the NUMA nodes 0, 1, 0, 1, ..."""
    lines = [
        f"- {{family: {family}, uuid: {card_id(number)}, numa_node: {number % 2}}}"
        for number, family in enumerate(families)
    ]
    return parse_scenario("\n".join(["cards:", *lines]))


def pod(
    name: str,
    *containers: Mapping[str, int],
    init: Sequence[Mapping[str, int]] = (),
) -> Pod:
    """A pod with app containers `app0`, ... and init containers `init0`, ... of these limits."""
    return Pod(
        f"uid-{name}",
        name,
        tuple(Container(f"app{number}", limits) for number, limits in enumerate(containers)),
        tuple(Container(f"init{number}", limits) for number, limits in enumerate(init)),
    )


@asynccontextmanager
async def plugin_node(folder: str, simulated: Sequence[Card], *options: str) -> AsyncIterator[Node]:
    """A kubelet with the plugin registered and, of the cards, as many listed healthy as there are."""
    async with Node(folder, simulated) as node:
        await node.start_plugin(*options)
        for resource in RESOURCES:
            await node.until_allocatable(resource, len(simulated), SECONDS)
        yield node


def health(node: Node, resource: str) -> dict[str, str]:
    """What the kubelet was listed last: health by id."""
    return {device.id: device.health for device in node.kubelet.books.lists.get(resource, {}).values()}


async def until(node: Node, condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    await node.kubelet.journal.until(condition, what, seconds)


async def until_health(node: Node, resource: str, *expected: str) -> None:
    """The cards 0, 1, ... are listed with these healths, and no other card is."""
    wanted = {card_id(number): said for number, said in enumerate(expected)}
    await until(node, lambda: health(node, resource) == wanted, f"{resource} is listed as {wanted}")


def client(node: Node, resource: str) -> PluginClient:
    """The plugin, to be asked past the kubelet's books."""
    plugin = node.kubelet.plugin(resource)
    assert plugin is not None, f"{resource} is not registered"
    return plugin


async def refusal(node: Node, resource: str, *ids: str) -> str:
    """The reason with which `Allocate` of these ids is refused."""
    try:
        answer = await client(node, resource).allocate(ids)
    except PluginError as error:
        return str(error)
    raise AssertionError(f"Allocate of {ids} under {resource} was answered: {answer}")


def methods(node: Node, *but: str) -> list[tuple[str, str]]:
    """(method, resource) of the calls in order, without those of the methods `but`."""
    return [(call.method, call.resource) for call in node.kubelet.journal.calls if call.method not in but]


def sockets(node: Node) -> list[str]:
    """The plugin's sockets in the kubelet's folder, by name."""
    return sorted(
        name for name in os.listdir(node.device_plugins_dir) if name.endswith(".sock") and name != "kubelet.sock"
    )


async def until_folder(folder: str, condition: Callable[[], bool]) -> None:
    """Looks at each event of the folder; for what no kubelet is told of."""
    loop, events, seen = asyncio.get_running_loop(), Inotify(), asyncio.Event()
    events.add_watch(folder, IN_CREATE | IN_MOVED_TO)

    def readable() -> None:
        events.read()
        seen.set()

    loop.add_reader(events.fileno(), readable)
    try:
        async with asyncio.timeout(SECONDS):
            while not condition():
                await seen.wait()
                seen.clear()
    finally:
        loop.remove_reader(events.fileno())
        events.close()


async def until_sockets(node: Node, count: int) -> None:
    """The plugin serves so many sockets."""
    await until_folder(node.device_plugins_dir, lambda: len(sockets(node)) == count)


def free_port() -> int:
    """Of this process until its end: bound with SO_REUSEADDR and not listened at, it is nobody else's to be given, and
    a server that is told of it can bind it all the same (socket(7)).
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    _KEPT_PORTS.append(kept)
    port: int = kept.getsockname()[1]
    return port


_KEPT_PORTS: list[socket.socket] = []


async def get(port: int, page: str) -> tuple[int, str]:
    """Status and body of a page that the plugin serves."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {page} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(SECONDS):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body.decode()


def said(node: Node, words: str) -> list[str]:
    """The lines of the plugin's log that hold the words."""
    with open(node.log, encoding="utf-8") as log:
        return [line for line in log if words in line]
