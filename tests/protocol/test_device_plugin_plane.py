"""The device plugin on a node whose cards the other plane hands out."""

import asyncio
from pathlib import Path

from furiosa_npu.demo.node import Node
from furiosa_npu.watch.claimed_cards import FILE
from furiosa_npu.watch.memory_file import boot_id
from furiosa_npu.watch.plane_lock import PlaneLock
from tests.protocol.api_server import api_server, kubeconfig
from tests.protocol.plugin_node import (
    RESOURCES,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    free_port,
    get,
    refusal,
    said,
    sockets,
    until_health,
)
from tests.protocol.test_device_plugin_told import eventually, told, until_condition
from tests.unit.test_watch_claimed_cards import claim, write


async def test_the_device_plugin_waits_for_the_other_plane(folder: str) -> None:
    """Alive, not ready, with the holder's name; it registers by itself when the other one has let go."""
    port = free_port()
    async with Node(folder, cards("warboy")) as node:
        driver = PlaneLock(node.folder, "dra")
        assert driver.take() is None
        await node.start_plugin(listen_address=f"127.0.0.1:{port}")
        async with asyncio.timeout(SECONDS):
            while not said(node, "plane-dra.lock is held"):  # noqa: ASYNC110  # a line of a log is no event
                await asyncio.sleep(0.02)
        status, body = await get(port, "/readyz")
        assert status == 503
        assert f"plane: {node.folder}/plane-dra.lock is held: the DRA driver (furiosa-npu-dra-driver)" in body
        assert (await get(port, "/livez"))[0] == 200
        assert (node.kubelet.journal.of("Register", RESOURCES[0]), sockets(node)) == ([], [])
        driver.release()
        for resource in RESOURCES:
            await node.until_allocatable(resource, 1, SECONDS)
        assert await get(port, "/readyz") == (200, "ok\n")
        assert PlaneLock(node.folder, "dra").take() is not None


async def test_a_card_that_the_other_plane_gave_out_meanwhile_is_no_strangers(folder: str, tmp_path: Path) -> None:
    """Neither while the plugin waits for the DRA driver, nor when it takes over and a claim's pod has the card yet."""
    with api_server() as server:
        server.nodes["n1"] = {}
        async with Node(folder, cards("warboy")) as node:
            await node.start_simulator()
            driver = PlaneLock(node.folder, "dra")
            assert driver.take() is None
            await node.start_plugin("--node-name", "n1", "--kubeconfig", kubeconfig(tmp_path, server.url))
            await eventually(lambda: bool(said(node, "state=idle")), "it waits, and has seen the card")
            write(Path(node.folder), claim("a1", card_id(0), boot_id=boot_id()))
            node.simulation.occupy("npu0")
            await eventually(lambda: bool(said(node, "state=occupied")), "it sees the card in use")
            driver.release()
            await until_condition(server, "True", "AllNPUsHealthy")
        assert told(server) == set()


async def test_cards_that_claims_hold_yet_are_nobody_elses(folder: str) -> None:
    """The DRA driver is gone, its pods run: their cards are unhealthy until its state says that they ended."""
    async with Node(folder, cards("warboy", "warboy")) as node:
        write(Path(node.folder), claim("a1", card_id(0), boot_id=boot_id()))
        await node.start_plugin()
        for resource in RESOURCES:
            await node.until_allocatable(resource, 1, SECONDS)
        assert "in use under the name npu.furiosa.ai" in await refusal(node, RESOURCES[1], card_id(0))
        write(Path(node.folder))
        for resource in RESOURCES:
            await node.until_allocatable(resource, 2, SECONDS)


async def test_a_card_that_came_where_a_claims_card_was_is_nobody_elses_either(folder: str) -> None:
    """The driver of the cards was loaded anew before this agent's start, and the numbers changed: the claim's pod opens
    what is npu1 now.
    """
    async with Node(folder, cards("warboy", "warboy")) as node:
        write(Path(node.folder), claim("a1", card_id(0), "npu1", boot_id=boot_id()))
        await node.start_plugin()
        for resource in RESOURCES:
            await until_health(node, resource, UNHEALTHY, UNHEALTHY)
        assert f"npu1 is where {card_id(0)} was when a pod got it" in await refusal(node, RESOURCES[1], card_id(1))
        write(Path(node.folder))
        for resource in RESOURCES:
            await node.until_allocatable(resource, 2, SECONDS)


async def test_while_it_is_not_known_what_claims_hold_nothing_is_handed_out(folder: str) -> None:
    """Nothing is registered; it says which file, and goes on when that can be read."""
    port = free_port()
    async with Node(folder, cards("warboy")) as node:
        write(Path(node.folder), claim("a1", card_id(0), boot_id=boot_id()))
        (Path(node.folder) / FILE).write_text("{")
        await node.start_plugin(listen_address=f"127.0.0.1:{port}")
        async with asyncio.timeout(SECONDS):
            while not said(node, "which cards claims hold cannot be told"):  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.02)
        assert "claims: " in (await get(port, "/readyz"))[1]
        assert node.kubelet.journal.of("Register", RESOURCES[0]) == []
        write(Path(node.folder))
        for resource in RESOURCES:
            await node.until_allocatable(resource, 1, SECONDS)
