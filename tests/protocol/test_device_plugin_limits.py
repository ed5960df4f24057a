"""A machine that has no more descriptors to give for a while: the plugin outlives it."""

import asyncio
import os
import resource
import socket
from pathlib import Path

from tests.protocol.plugin_node import ALPHA, HEALTHY, cards, plugin_node, sockets, until_health


async def test_a_connection_that_cannot_be_accepted_is_not_the_end_of_the_plugin(folder: Path) -> None:
    """The system's file table is full (here: the process' own): a warning, and it goes on when there is room again."""
    async with plugin_node(str(folder), cards("warboy")) as node:
        plugin = node.plugin
        assert plugin is not None
        before = resource.prlimit(plugin.pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{plugin.pid}/fd"))
        resource.prlimit(plugin.pid, resource.RLIMIT_NOFILE, (used + 2, before[1]))
        path = f"{node.device_plugins_dir}/{sockets(node)[0]}"
        peers = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        for peer in peers:
            peer.connect(path)
        await asyncio.sleep(2)
        for peer in peers:
            peer.close()
        assert plugin.exit_code is None
        resource.prlimit(plugin.pid, resource.RLIMIT_NOFILE, before)
        await until_health(node, ALPHA, HEALTHY)
