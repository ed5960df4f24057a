"""The device plugin on a node whose cards the other plane hands out."""

import asyncio

from furiosa_npu.demo.node import Node
from furiosa_npu.watch.plane import PlaneLock
from tests.protocol.plugin_node import RESOURCES, SECONDS, cards, free_port, get, said, sockets


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
