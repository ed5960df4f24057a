"""The active probe of the real plugin: a device file that is busy, one that does not open, and those of held cards."""

import asyncio
from pathlib import Path

from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import PodStatus
from furiosa_npu.simulator import Card
from tests.fuse.conftest import mounted
from tests.protocol.plugin_node import (
    ALPHA,
    HEALTHY,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    free_port,
    get,
    pod,
    refusal,
    until_health,
)

PROBE = ("--active-probe", "on")


def _silent_about_use() -> tuple[Card, ...]:
    """Two Renegades whose older driver shows no use: only an open can tell."""
    return tuple(card._replace(driver_version="2023.3.0, abc1234") for card in cards("renegade", "renegade"))


async def _states(port: int) -> dict[str, str]:
    _, page = await get(port, "/status")
    return {line.split()[1]: line.split()[2] for line in page.splitlines()[1:]}


async def _stuck_readers(port: int) -> str:
    _, page = await get(port, "/metrics")
    (line,) = (line for line in page.splitlines() if line.startswith("furiosa_npu_stuck_readers "))
    return line.split()[1]


async def test_a_card_whose_device_files_are_busy_is_occupied(folder: Path) -> None:
    """EBUSY is the only sign that this driver gives; closed again, the card is offered again."""
    async with Node(str(folder), _silent_about_use()) as node:
        with mounted(node.simulation, "--devfs") as mount:
            await node.start_plugin("--devfs-root", str(mount.place), *PROBE)
            await node.until_allocatable(ALPHA, 2, SECONDS)
            node.simulation.occupy(card_id(1), ["2"])
            await until_health(node, ALPHA, HEALTHY, UNHEALTHY)
            assert f"npu1 ({card_id(1)}) is occupied: in use by a process" in await refusal(node, ALPHA, card_id(1))
            node.simulation.release(card_id(1))
            await until_health(node, ALPHA, HEALTHY, HEALTHY)


async def test_a_card_whose_device_file_does_not_open_is_kept_back_alone(folder: Path) -> None:
    """The reason names the file; the other cards are handed out, probes are answered, one thread is held."""
    port = free_port()
    async with Node(str(folder), cards("warboy", "warboy", "warboy")) as node:
        with mounted(node.simulation, "--devfs") as mount:
            options = ("--devfs-root", str(mount.place), *PROBE)
            await node.start_plugin(*options, listen_address=f"127.0.0.1:{port}")
            await node.until_allocatable(ALPHA, 3, SECONDS)
            node.simulation.fail(card_id(1), "hang-open=pe0-1")
            await until_health(node, ALPHA, HEALTHY, UNHEALTHY, HEALTHY)
            expected = f"is unreadable: no answer from {mount.place}/npu1pe0-1 in 2 s: the driver hangs"
            assert expected in await refusal(node, ALPHA, card_id(1))
            assert await node.kubelet.run(pod("other", {ALPHA: 2})) == PodStatus("Running")
            assert [(await get(port, page))[0] for page in ("/livez", "/readyz")] == [200, 200]
            assert await _stuck_readers(port) == "1"
            node.simulation.recover(card_id(1))
            await until_health(node, ALPHA, HEALTHY, HEALTHY, HEALTHY)
            assert await _stuck_readers(port) == "0"


async def test_the_device_files_of_a_held_card_are_never_opened(folder: Path) -> None:
    """An open would hang, as the first one does once the pod has ended: until then the card is its pod's, and no thread
    waits."""
    port = free_port()
    async with Node(str(folder), cards("warboy")) as node:
        with mounted(node.simulation, "--devfs") as mount:
            options = ("--devfs-root", str(mount.place), *PROBE)
            await node.start_plugin(*options, listen_address=f"127.0.0.1:{port}")
            await node.until_allocatable(ALPHA, 1, SECONDS)
            holder = pod("holder", {ALPHA: 1})
            assert await node.kubelet.run(holder) == PodStatus("Running")
            node.simulation.fail(card_id(0), "hang-open=pe0-1")
            for _ in range(5):
                await node.until_seen(holder, SECONDS)
            assert (await _states(port), await _stuck_readers(port)) == ({card_id(0): "allocated"}, "0")
            node.kubelet.end(holder)
            async with asyncio.timeout(SECONDS):
                while await _states(port) != {card_id(0): "unreadable"}:  # noqa: ASYNC110 - a page tells no event
                    await asyncio.sleep(0.05)
