"""What an agent has to have done within a second, on a machine that may be busy elsewhere in just that second."""

import os
import time
from collections.abc import Awaitable, Callable

from furiosa_npu.cluster.writer import LAST_SECONDS
from furiosa_npu.demo.node import Node
from tests.protocol.plugin_node import sockets

EXIT_SECONDS = 1.0
LATE = f"the last of it was not written within {LAST_SECONDS:g} s"
TRIES = 5


async def in_one_of_a_few_tries(folder: str, story: Callable[[str], Awaitable[bool]]) -> None:
    """The story goes well in each of its tries, and one is in time: it says whether it was. Each in its own folder."""
    for number in range(TRIES):
        place = f"{folder}/{number}"
        os.mkdir(place)
        if await story(place):
            return
    raise AssertionError(f"not in time in {TRIES} tries")


async def stopped_in_time(node: Node) -> bool:
    """SIGTERM: exit 0, no socket is left; whether that was within the second."""
    assert node.plugin is not None
    started = time.monotonic()
    assert await node.plugin.stop() == 0
    took = time.monotonic() - started
    assert sockets(node) == []
    return took < EXIT_SECONDS
