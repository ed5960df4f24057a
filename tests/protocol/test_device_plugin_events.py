"""What the kernel tells without being asked, and what the plugin does where it tells nothing."""

import asyncio
import os
import subprocess

from furiosa_npu.demo.child import Child
from furiosa_npu.demo.node import Node
from tests.protocol.plugin_node import (
    HEALTHY,
    RESOURCES,
    SECONDS,
    card_id,
    cards,
    free_port,
    get,
    said,
    until_folder,
    until_health,
)

LIMIT = "/proc/sys/user/max_inotify_instances"
WITHOUT_INOTIFY = ("unshare", "--user", "--map-root-user", "sh", "-c", f'echo 0 > {LIMIT} && exec "$0" "$@"')
"""A user namespace has limits of its own: inotify is used up for the plugin, and for nobody else."""


def _give_inotify_back(plugin: Child) -> None:
    command = ["nsenter", "--user", f"--target={plugin.pid}", "sh", "-c", f"echo 100 > {LIMIT}"]
    subprocess.run(command, check=True)


async def test_without_inotify_it_looks_once_a_second_and_says_so(folder: str) -> None:
    """Cards that come and kubelets that restart are found all the same; events are taken up when there are some."""
    async with Node(folder, cards("warboy", "warboy")) as node:
        node.simulation.remove(card_id(1))
        port = free_port()
        plugin = await node.start_plugin(listen_address=f"127.0.0.1:{port}", through=WITHOUT_INOTIFY)
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY)
        assert len(said(node, "no events from the kernel")) == 1
        assert "EMFILE" in said(node, "looking once a second instead")[0]
        node.simulation.add(card_id(1))
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY, HEALTHY)
        await node.kubelet.restart()
        for resource in RESOURCES:
            await node.until_allocatable(resource, 2, SECONDS)
        assert await get(port, "/readyz") == (200, "ok\n")
        _give_inotify_back(plugin)
        async with asyncio.timeout(SECONDS):
            while not said(node, "well again part=inotify"):
                await get(port, "/livez")
        assert len(said(node, "no events from the kernel")) == 1


async def test_a_kubelets_folder_that_is_made_after_the_plugin_is_found(folder: str) -> None:
    """A node that boots: until the kubelet made its folder, the plugin says that, lives, and is not ready."""
    async with Node(folder, cards("warboy")) as node:
        await node.kubelet.stop()
        beside = f"{folder}/later"
        os.rename(node.device_plugins_dir, beside)
        port = free_port()
        await node.start_plugin(listen_address=f"127.0.0.1:{port}")
        await until_folder(folder, lambda: os.path.exists(node.host_tools_dir))
        words = "the kubelet's folder is not there or not writable"
        async with asyncio.timeout(SECONDS):
            while (await get(port, "/readyz"))[1].count(words) < len(RESOURCES):
                assert (await get(port, "/readyz"))[0] == 503
        assert len(said(node, words)) == len(RESOURCES)
        assert (await get(port, "/livez"))[0] == 200
        os.rename(beside, node.device_plugins_dir)
        await node.kubelet.start()
        for resource in RESOURCES:
            await node.until_allocatable(resource, 1, SECONDS)
