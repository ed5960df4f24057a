"""An agent waits until its plane hands out this node's cards."""

import asyncio
from collections.abc import Callable

from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.plane_lock import PlaneLock

PLANE_SECONDS = 1.0
"""Between two looks whether the other plane still hands out this node's cards."""


async def until_ours(lock: PlaneLock, conditions: Conditions, on_others: Callable[[], None] = lambda: None) -> None:
    """Returns once the lock is taken, and says meanwhile who holds the other one.

    `on_others` is called at each look at which the other plane hands out, as nobody of this one does then.
    """
    while (reason := lock.take()) is not None:
        conditions.trouble("plane", reason)
        if lock.is_others:
            on_others()
        await asyncio.sleep(PLANE_SECONDS)
    conditions.well("plane")
