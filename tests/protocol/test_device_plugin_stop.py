"""The end of the whole plugin at SIGTERM: its last word to the API server, and that it waits for none."""

import asyncio
import socket
from pathlib import Path

from tests.protocol.api_server import api_server
from tests.protocol.in_time import LATE, in_one_of_a_few_tries, stopped_in_time
from tests.protocol.plugin_node import SECONDS, cards, plugin_node, said
from tests.protocol.test_device_plugin_told import STOPPED, condition, options, until_condition


async def test_sigterm_leaves_unknown_behind(folder: str, tmp_path: Path) -> None:
    """Within the second in which the plugin is gone."""

    async def story(place: str) -> bool:
        with api_server() as server:
            server.nodes["n1"] = {}
            async with plugin_node(place, cards("warboy"), *options(tmp_path, server.url)) as node:
                await until_condition(server, "True", "AllNPUsHealthy")
                in_time = await stopped_in_time(node)
                if said(node, LATE):
                    return False
                assert condition(server) == STOPPED
                return in_time

    await in_one_of_a_few_tries(folder, story)


async def test_sigterm_waits_for_no_api_server_that_is_away(folder: str, tmp_path: Path) -> None:
    """It went while the plugin ran: the log says so."""

    async def story(place: str) -> bool:
        with api_server() as server:
            server.nodes["n1"] = {}
            url = server.url
            async with plugin_node(place, cards("warboy"), *options(tmp_path, url)) as node:
                await until_condition(server, "True", "AllNPUsHealthy")
                server.close()
                in_time = await stopped_in_time(node)
                if said(node, LATE):
                    return False
                (line,) = said(node, "not written")
                assert f"not written: {url}: cannot connect (Connection refused): is the API server away?" in line
                return in_time

    await in_one_of_a_few_tries(folder, story)


async def test_sigterm_waits_for_no_api_server_that_hangs(folder: str, tmp_path: Path) -> None:
    """It takes the connection and says nothing: the child is ended, and the log says so."""

    async def story(place: str) -> bool:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            async with plugin_node(place, cards("warboy"), *options(tmp_path, url)) as node:
                silent.settimeout(SECONDS)
                connection, _ = await asyncio.to_thread(silent.accept)
                in_time = await stopped_in_time(node)
                connection.close()
                assert len(said(node, LATE)) == 1
                return in_time

    await in_one_of_a_few_tries(folder, story)
