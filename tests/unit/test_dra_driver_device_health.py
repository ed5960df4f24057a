"""What the kubelet and a claim's user are told of devices: health with a message, and Ready."""

import asyncio

import pytest

from furiosa_npu.allocation.pool import Unit
from furiosa_npu.dra_driver.claim_status import Ready
from furiosa_npu.dra_driver.claim_statuses import readiness
from furiosa_npu.dra_driver.device_health import DeviceHealths, health
from furiosa_npu.health.verdict import State, Verdict
from furiosa_npu.kubelet.dra_health_v1 import HEALTHY, UNHEALTHY, UNKNOWN, NodeWatchResourcesResponse
from tests.unit.readings import warboy
from tests.unit.test_watch_claimed_cards import claim


def unit(state: State, sign: str = "", reason: str = "") -> Unit:
    return Unit("npu-a-pe0", "A", warboy(), Verdict(state, sign, reason, 20.0))


@pytest.mark.parametrize(
    ("state", "told"),
    [
        *((state, HEALTHY) for state in ("idle", "allocated", "occupied", "disabled")),
        *((state, UNHEALTHY) for state in ("failed", "probation", "gone")),
        *((state, UNKNOWN) for state in ("starting", "unreadable")),
    ],
)
def test_each_state_is_a_health_with_its_reason(state: State, told: int) -> None:
    """A card that is in use or disabled is not ill."""
    (device,) = health({"npu-a-pe0": unit(state, "x", "why")}, "node-1", 1000).devices
    assert device.device is not None
    assert (device.device.pool_name, device.device.device_name) == ("node-1", "npu-a-pe0")
    assert (device.health, device.last_updated_time) == (told, 1000)
    assert device.message.startswith("npu0 ")
    assert device.message.endswith(": why")


def test_a_watcher_is_told_at_once_and_at_each_change() -> None:
    """What stays the same is not said again before it has to be."""

    async def story() -> list[list[int]]:
        pool = {"npu-a-pe0": unit("idle")}
        healths = DeviceHealths(lambda: pool, "node-1", lambda: 1000.0)
        told: list[NodeWatchResourcesResponse] = []
        lists = healths.lists()

        async def watch() -> None:
            async for response in lists:
                told.append(response)  # noqa: PERF401  # seen while it goes on

        watcher = asyncio.create_task(watch())
        await asyncio.sleep(0)
        healths.changed()
        await asyncio.sleep(0)
        pool["npu-a-pe0"] = unit("failed", "not-alive", "it is not alive")
        healths.changed()
        for _ in range(5):
            await asyncio.sleep(0)
        assert healths.watchers == 1
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        await lists.aclose()
        assert healths.watchers == 0
        return [[device.health for device in response.devices] for response in told]

    assert asyncio.run(story()) == [[HEALTHY], [UNHEALTHY]]


@pytest.mark.parametrize(
    ("found", "ready"),
    [
        (unit("allocated"), Ready(True, "Prepared", "", 120.0)),
        (unit("disabled", "disabled", "for repair"), Ready(True, "Prepared", "", 120.0)),
        (
            unit("failed", "not-alive", "it is not alive"),
            Ready(False, "NotAlive", "npu0 has failed: it is not alive", 120.0),
        ),
        (None, Ready(False, "Gone", "npu-a-pe0 is not seen on this node", 100.0)),
    ],
)
def test_a_claim_says_whether_its_device_is_ready(found: Unit | None, ready: Ready) -> None:
    """Since when, in seconds since 1970: the clock began at 100."""
    pool = {} if found is None else {found.id: found}
    assert readiness(claim("a1", "A"), pool, 100.0) == {"npu-a-pe0": ready}
