"""What the kubelet is told of the devices' health, with a message for the person who reads the pod's status."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.health.verdict import in_words
from furiosa_npu.kubelet.dra_health_v1 import (
    HEALTHY,
    MAXIMUM_MESSAGE,
    UNHEALTHY,
    UNKNOWN,
    DeviceHealth,
    DeviceIdentifier,
    NodeWatchResourcesResponse,
)

STALE_SECONDS = 300
"""after which the kubelet holds a device's health for unknown, where it was told nothing more"""
AGAIN_SECONDS = 15.0
"""The same is said again so often: a kubelet forgets a driver's devices when one of two instances ends."""

_HEALTHY = ("idle", "allocated", "occupied", "disabled")
"""occupied, disabled: kept from claims, and nothing is wrong with the card"""
_UNKNOWN = ("starting", "unreadable")


def health(pool: Pool, pool_name: str, now: int) -> NodeWatchResourcesResponse:
    """Of all units. `now`: seconds since 1970."""
    return NodeWatchResourcesResponse(
        tuple(
            DeviceHealth(DeviceIdentifier(pool_name, unit.id), _of(unit), now, STALE_SECONDS, _message(unit))
            for unit in pool.values()
        )
    )


def _of(unit: Unit) -> int:
    state = unit.verdict.state
    return HEALTHY if state in _HEALTHY else UNKNOWN if state in _UNKNOWN else UNHEALTHY


def _message(unit: Unit) -> str:
    verdict = unit.verdict
    said = f"{in_words(verdict.state)}: {verdict.reason}" if verdict.reason else ""
    text = "; ".join(filter(None, (said, *(warning.text for warning in verdict.warnings))))
    return f"{unit.card.name} {text}"[:MAXIMUM_MESSAGE] if text else ""


class DeviceHealths:
    """Streams it to each kubelet that watches."""

    def __init__(self, pool: Callable[[], Pool], pool_name: str, wall: Callable[[], float]) -> None:
        """`wall`: seconds since 1970."""
        self._pool = pool
        self._pool_name = pool_name
        self._wall = wall
        self._watchers: dict[object, asyncio.Event] = {}

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    def changed(self) -> None:
        """The pool changed."""
        for wake in self._watchers.values():
            wake.set()

    async def lists(self) -> AsyncGenerator[NodeWatchResourcesResponse, None]:
        """At once, at each change, and again before it is stale."""
        me, wake = object(), asyncio.Event()
        self._watchers[me] = wake
        told: dict[DeviceIdentifier | None, tuple[int, str]] | None = None
        try:
            while True:
                wake.clear()
                response = health(self._pool(), self._pool_name, int(self._wall()))
                now = {one.device: (one.health, one.message) for one in response.devices}
                if now != told:
                    told = now
                    yield response
                try:
                    async with asyncio.timeout(AGAIN_SECONDS):
                        await wake.wait()
                except TimeoutError:
                    told = None
        finally:
            del self._watchers[me]
