"""`--startup-taint`: a taint that the node was born with goes once its NPUs are offered. Imported where it is wanted.

A cluster autoscaler makes nodes with such a taint, so that no pod comes before what it needs is there. It is removed
once in an agent's life: a taint that somebody sets later is not the agent's to judge.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from furiosa_npu.agent.log import Log
from furiosa_npu.cluster.api import Answer, ApiRequest, complaint
from furiosa_npu.cluster.node import node_path
from furiosa_npu.cluster.retry import chance, delay_seconds
from furiosa_npu.cluster.taints import get_taints, remove_taints, taints_of
from furiosa_npu.watch.conditions import Conditions

PART = "startup taint"
"""of the conditions"""

LOOK_SECONDS = 1.0
"""Between two looks whether there is something to offer."""

LONGEST_SECONDS = 10.0
"""Between two looks at the node's status: the kubelet writes it so often."""

_CHANGED_MEANWHILE = (409, 422)
"""somebody else wrote the node between our reading and our patch"""

Ask = Callable[[Sequence[ApiRequest]], Awaitable[tuple[Answer, ...]]]


class Step(NamedTuple):
    """What the node's taints and status ask for. With neither there is no such taint."""

    patch: ApiRequest | None = None
    """which removes it"""
    waits_for: str | None = None
    """why not yet"""


class StartupTaint:
    """One taint of one node, and by which names the kubelet shows that NPUs are offered (none: it does not)."""

    def __init__(self, key: str, node: str, resources: Sequence[str]) -> None:
        """Raises ValueError for what is no node's name."""
        self.key = key
        self._node = node
        self._resources = tuple(resources)
        self.reads = (get_taints(node), ApiRequest("GET", node_path(node), only=("status", "allocatable")))

    def step(self, answers: Sequence[Answer]) -> Step:
        """From an answer to each of `reads`. Raises ValueError, whose text says what is wrong and whose fault it is."""
        for request, answer in zip(self.reads, answers, strict=True):
            said = complaint(request, answer)
            if said is not None:
                raise ValueError(said)
        taints, allocatable = (answer.body for answer in answers)
        patch = remove_taints(self._node, taints_of(taints), self.key)
        if patch is None or self._is_offered(allocatable):
            return Step(patch)
        return Step(waits_for=f"the node's allocatable shows no {' or '.join(self._resources)} yet")

    def _is_offered(self, allocatable: object) -> bool:
        shown = allocatable if isinstance(allocatable, dict) else {}
        return not self._resources or any(shown.get(name, "0") != "0" for name in self._resources)


async def remove_once_offered(
    taint: StartupTaint,
    is_offering: Callable[[], bool],
    ask: Ask,
    conditions: Conditions,
    log: Log,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    random: Callable[[], float] = chance,
) -> None:
    """Returns when the node does not have the taint any more, or never had it. `is_offering`: the agent offers NPUs,
    as far as itself knows.
    """
    while not is_offering():
        await sleep(LOOK_SECONDS)
    tries, said = 0, ""
    while True:
        try:
            step = taint.step(await ask(taint.reads))
            if step.patch is None and step.waits_for is None:
                break
            if step.patch is None:
                if step.waits_for != said:
                    log.info("startup taint stays", taint=taint.key, reason=step.waits_for)
                said = step.waits_for or ""
            elif await _is_removed(step.patch, ask):
                log.info("startup taint removed: the NPUs are offered", taint=taint.key)
                break
        except ValueError as error:
            conditions.trouble(PART, str(error))
        tries += 1
        await sleep(min(LONGEST_SECONDS, delay_seconds(tries, random())))
    conditions.well(PART)


async def _is_removed(patch: ApiRequest, ask: Ask) -> bool:
    """False: the node is to be read again. Raises ValueError as `step` does."""
    (answer,) = await ask((patch,))
    if answer.status in _CHANGED_MEANWHILE:
        return False
    said = complaint(patch, answer)
    if said is not None:
        raise ValueError(said)
    return True
