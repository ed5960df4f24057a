"""A driver that does not answer, on the real plugin: it keeps its own card from the node, and nothing else waiting."""

import asyncio
import time
from pathlib import Path

from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import PodStatus
from tests.fuse.conftest import mounted
from tests.protocol.plugin_node import (
    ALPHA,
    HEALTHY,
    PLAIN,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    client,
    free_port,
    get,
    pod,
    refusal,
    said,
    sockets,
    until,
    until_health,
)

HEARTBEAT = "class/npu_mgmt/npu1_mgmt/heartbeat"


async def _stuck_readers(port: int) -> str:
    _, page = await get(port, "/metrics")
    (line,) = (line for line in page.splitlines() if line.startswith("furiosa_npu_stuck_readers "))
    return line.split()[1]


async def test_a_card_that_hangs_is_kept_back_alone_and_comes_back(folder: Path) -> None:
    """Others are listed and handed out, probes are answered, the reason names the file; one thread is held, no more."""
    port = free_port()
    async with Node(str(folder), cards("warboy", "warboy", "warboy")) as node:
        with mounted(node.simulation) as mount:
            await node.start_plugin("--sysfs-root", str(mount.place), listen_address=f"127.0.0.1:{port}")
            await node.until_allocatable(ALPHA, 3, SECONDS)
            node.simulation.fail(card_id(1), "hang=heartbeat")
            await until_health(node, ALPHA, HEALTHY, UNHEALTHY, HEALTHY)
            assert f"no answer from {mount.place}/{HEARTBEAT} in 2 s" in await refusal(node, ALPHA, card_id(1))
            assert await node.kubelet.run(pod("other", {ALPHA: 2})) == PodStatus("Running")
            assert [(await get(port, page))[0] for page in ("/livez", "/readyz")] == [200, 200]
            assert await _stuck_readers(port) == "1"
            node.simulation.recover(card_id(1))
            await until_health(node, ALPHA, HEALTHY, HEALTHY, HEALTHY)
            assert await _stuck_readers(port) == "0"


async def test_cards_that_hang_from_the_start_keep_the_others_from_nobody(folder: Path) -> None:
    """Nothing is known of two of three cards, which are listed by no made-up name; they come when they answer."""
    async with Node(str(folder), cards("warboy", "warboy", "warboy")) as node:
        with mounted(node.simulation) as mount:
            for number in (0, 1):
                node.simulation.fail(card_id(number), "hang=alive")
            await node.start_plugin("--sysfs-root", str(mount.place))
            await node.until_allocatable(ALPHA, 1, SECONDS)
            assert await node.kubelet.run(pod("other", {ALPHA: 1})) == PodStatus("Running")
            listed = {device.id for device in node.kubelet.books.lists[ALPHA].values()}
            assert listed == {card_id(2)}
            for number in (0, 1):
                node.simulation.recover(card_id(number))
            await until_health(node, ALPHA, HEALTHY, HEALTHY, HEALTHY)


async def test_a_card_whose_files_fail_is_kept_back_with_the_error(folder: Path) -> None:
    """EIO of one file, named; the other card is offered all the time, and the first one again afterwards."""
    async with Node(str(folder), cards("warboy", "warboy")) as node:
        with mounted(node.simulation) as mount:
            await node.start_plugin("--sysfs-root", str(mount.place))
            await node.until_allocatable(ALPHA, 2, SECONDS)
            node.simulation.fail(card_id(1), "syscall=heartbeat:EIO")
            await until_health(node, ALPHA, HEALTHY, UNHEALTHY)
            assert f"is unreadable: {mount.place}/{HEARTBEAT}: found EIO" in await refusal(node, ALPHA, card_id(1))
            node.simulation.recover(card_id(1))
            await until_health(node, ALPHA, HEALTHY, HEALTHY)


async def test_a_held_card_that_hangs_at_the_next_agents_start_is_not_forgotten(folder: Path) -> None:
    """Nothing of it is read then, not even its UUID; who holds it stands in the list of the other name all the same."""
    async with Node(str(folder), cards("warboy", "warboy")) as node:
        with mounted(node.simulation) as mount:
            plugin = await node.start_plugin("--sysfs-root", str(mount.place))
            await node.until_allocatable(ALPHA, 2, SECONDS)
            assert await node.kubelet.run(pod("holder", {ALPHA: 2})) == PodStatus("Running")
            node.simulation.fail(card_id(1), "hang=heartbeat")
            told = f"uuid={card_id(1)} state=unreadable"
            await until(node, lambda: len(said(node, told)) == 1, "the plugin says it")
            await plugin.kill()
            await node.start_plugin("--sysfs-root", str(mount.place))
            await until(node, lambda: len(said(node, told)) == 2, "the next plugin says it")
            await until_health(node, PLAIN, UNHEALTHY, UNHEALTHY)
            await until_health(node, ALPHA, HEALTHY, HEALTHY)
            assert f"npu1 ({card_id(1)}) is unreadable: " in await refusal(node, ALPHA, card_id(1))


async def test_a_plugin_ends_at_sigterm_though_drivers_hang(folder: Path) -> None:
    """Exit code 0, sockets gone: a thread that waits for a driver holds up nobody's end."""
    async with Node(str(folder), cards("warboy", "warboy")) as node:
        with mounted(node.simulation) as mount:
            plugin = await node.start_plugin("--sysfs-root", str(mount.place))
            await node.until_allocatable(ALPHA, 2, SECONDS)
            node.simulation.fail(card_id(1), "hang=heartbeat")
            await until_health(node, ALPHA, HEALTHY, UNHEALTHY)
            assert await plugin.stop() == 0
            assert sockets(node) == []


async def test_the_last_card_that_hangs_delays_nobodys_allocate(folder: Path) -> None:
    """It is read last of all; the others were read before it, and are handed out all the same."""
    async with Node(str(folder), cards("warboy", "warboy")) as node:
        with mounted(node.simulation) as mount:
            await node.start_plugin("--sysfs-root", str(mount.place))
            await node.until_allocatable(ALPHA, 2, SECONDS)
            took: list[float] = []
            while min(took, default=1.0) >= 0.5:  # a machine may be busy elsewhere in just that moment
                assert len(took) < 5
                node.simulation.fail(card_id(1), "hang=heartbeat")
                await asyncio.sleep(1.1)  # a cycle: the driver was asked
                began = time.monotonic()
                answer = await client(node, ALPHA).allocate((card_id(0),))
                took.append(time.monotonic() - began)
                assert answer.envs["NPU_NPUNAME"] == "npu0"
                node.simulation.recover(card_id(1))
                await until_health(node, ALPHA, HEALTHY, HEALTHY)
