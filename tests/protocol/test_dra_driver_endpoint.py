"""A driver's sockets, as a kubelet finds them and calls on them."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.endpoint import Endpoint
from furiosa_npu.kubelet import dra_health_v1 as health
from furiosa_npu.kubelet import dra_v1 as dra
from furiosa_npu.kubelet.pluginregistration_v1 import PluginInfo
from furiosa_npu.watch.conditions import Conditions
from tests.protocol.dra_kubelet import DraKubelet

ONE, TWO = dra.Claim("default", "uid-1", "one"), dra.Claim("default", "uid-2", "two")
NPU0 = dra.Device(("npu",), "node01", "npu-0", ("npu.furiosa.ai/claim=uid-1-npu",))


class Driver:
    """Prepares `uid-1`, and nothing else; tells of a card's health what it is told."""

    def __init__(self, name: str = "one") -> None:
        self.name = name
        self.unprepared: list[dra.Claim] = []
        self.health: asyncio.Queue[health.NodeWatchResourcesResponse] = asyncio.Queue()
        self.watchers = 0
        self.watched_by_nobody = asyncio.Event()

    async def prepare(self, claims: Sequence[dra.Claim]) -> Mapping[str, tuple[dra.Device, ...] | str]:
        return {claim.uid: (NPU0,) if claim == ONE else f"{self.name}: no such device" for claim in claims}

    async def unprepare(self, claims: Sequence[dra.Claim]) -> Mapping[str, str | None]:
        self.unprepared += claims
        return {claim.uid: None if claim == ONE else "the disk is full" for claim in claims}

    async def watched(self) -> AsyncIterator[health.NodeWatchResourcesResponse]:
        self.watchers += 1
        try:
            while True:
                yield await self.health.get()
        finally:
            self.watchers -= 1
            self.watched_by_nobody.set()


class Place:
    """A node's folder, a kubelet on it, and endpoints of drivers with what they say is wrong."""

    def __init__(self, folder: Path) -> None:
        self.kubelet = DraKubelet(str(folder))
        self.conditions = Conditions(Log(write=lambda _: None))
        self.folder = folder

    def endpoint(self, driver: Driver, instance: str = "a") -> Endpoint:
        log = Log(write=lambda _: None)
        return Endpoint(driver, driver.watched, self.kubelet.folder, instance, log, self.conditions)

    def sockets(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*.sock"))


@pytest.fixture
def place(folder: str) -> Place:
    return Place(Path(folder))


SOCKETS_OF_A = [
    "plugins/npu.furiosa.ai/a.sock",
    "plugins_registry/npu.furiosa.ai-a-reg.sock",
]


async def test_a_kubelet_finds_registers_and_calls_the_driver(place: Place) -> None:
    """Each claim has its own answer; one that fails is no other's error."""
    driver = Driver()
    endpoint = place.endpoint(driver)
    await endpoint.keep()
    assert [part for part, _ in place.conditions.troubles()] == ["registration"]
    await place.kubelet.look()
    path = f"{place.kubelet.folder}/{SOCKETS_OF_A[0]}"
    versions = ("v1.DRAPlugin", "v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth")
    assert place.kubelet.driver.info == PluginInfo("DRAPlugin", "npu.furiosa.ai", path, versions)
    assert (place.conditions.troubles(), endpoint.registrations) == ((), 1)
    assert await place.kubelet.prepare(ONE, TWO) == {
        "uid-1": dra.NodePrepareResourceResponse((NPU0,)),
        "uid-2": dra.NodePrepareResourceResponse(error="one: no such device"),
    }
    assert await place.kubelet.unprepare(ONE, TWO) == {
        "uid-1": dra.NodeUnprepareResourceResponse(),
        "uid-2": dra.NodeUnprepareResourceResponse("the disk is full"),
    }
    assert driver.unprepared == [ONE, TWO]
    await endpoint.close()
    assert place.sockets() == []


@pytest.mark.parametrize("version", ["v1", "v1alpha1"])
async def test_a_kubelet_watches_the_health_of_the_devices(place: Place, version: str) -> None:
    """Under today's name and yesterday's; the driver is told when nobody watches any more."""
    driver = Driver()
    endpoint = place.endpoint(driver)
    await endpoint.keep()
    await place.kubelet.look()
    told = health.NodeWatchResourcesResponse(
        (health.DeviceHealth(health.DeviceIdentifier("node01", "npu-0"), health.UNHEALTHY, 5, 30, "too hot"),)
    )
    async with place.kubelet.watch(version) as stream:
        driver.health.put_nowait(told)
        assert await stream.recv_message() == told
        assert driver.watchers == 1
    async with asyncio.timeout(20):
        await driver.watched_by_nobody.wait()
    await endpoint.close()


async def test_a_refused_registration_is_said_with_the_kubelets_reason(place: Place) -> None:
    """And well again when the kubelet, started anew, takes it."""
    endpoint = place.endpoint(Driver())
    await endpoint.keep()
    place.kubelet.refuses = "unsupported version"
    await place.kubelet.look()
    reason = "the kubelet does not register this driver: unsupported version"
    assert place.conditions.troubles() == (("registration", reason),)
    place.kubelet.refuses = None
    await place.kubelet.look()
    assert (place.conditions.troubles(), endpoint.registrations) == ((), 1)
    place.kubelet.restart()
    await place.kubelet.look()
    assert endpoint.registrations == 2
    await endpoint.close()


@pytest.mark.parametrize("lost", [0, 1])
async def test_a_socket_that_was_removed_is_made_again(place: Place, lost: int) -> None:
    """Whichever of the two; the other one stays."""
    endpoint = place.endpoint(Driver())
    await endpoint.keep()
    await place.kubelet.look()
    kept = os.stat(place.folder / SOCKETS_OF_A[1 - lost]).st_ino
    (place.folder / SOCKETS_OF_A[lost]).unlink()
    await place.kubelet.look()
    await endpoint.keep()
    await place.kubelet.look()
    assert place.sockets() == SOCKETS_OF_A
    assert os.stat(place.folder / SOCKETS_OF_A[1 - lost]).st_ino == kept
    assert (await place.kubelet.prepare(ONE))["uid-1"].error == ""
    await endpoint.close()


async def test_during_a_rolling_update_no_call_goes_astray(place: Place) -> None:
    """Two instances serve at once; the kubelet calls the newer one, and after its end the older one."""
    old, new = Driver("old"), Driver("new")
    endpoints = [place.endpoint(old, "a"), place.endpoint(new, "b")]
    for endpoint in endpoints:
        await endpoint.keep()
        await place.kubelet.look()
    assert (await place.kubelet.prepare(TWO))["uid-2"].error == "new: no such device"
    await endpoints[1].close()
    await place.kubelet.look()
    assert (await place.kubelet.prepare(TWO))["uid-2"].error == "old: no such device"
    await endpoints[0].close()
    assert place.sockets() == []


async def test_sockets_that_a_killed_instance_left_are_removed(place: Place) -> None:
    """Those that answer stay, and so do other drivers'."""
    endpoint = place.endpoint(Driver())
    await endpoint.keep()
    for name in (
        "plugins/npu.furiosa.ai/dead.sock",
        "plugins_registry/npu.furiosa.ai-dead-reg.sock",
    ):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(place.folder / name))
    with socket.socket(socket.AF_UNIX) as others:
        others.bind(str(place.folder / "plugins_registry/other.example.com-reg.sock"))
    endpoint.remove_dead()
    assert place.sockets() == sorted([*SOCKETS_OF_A, "plugins_registry/other.example.com-reg.sock"])
    await endpoint.close()


async def test_without_the_kubelets_folder_the_driver_waits_and_says_so(place: Place) -> None:
    """It is bound as soon as the folder is there."""
    (place.folder / "plugins_registry").rmdir()
    endpoint = place.endpoint(Driver())
    await endpoint.keep()
    ((part, reason),) = place.conditions.troubles()
    assert part == "registration"
    assert "No such file or directory: the kubelet's folder is not there or not writable" in reason
    (place.folder / "plugins_registry").mkdir()
    await endpoint.keep()
    assert place.sockets() == SOCKETS_OF_A
    await endpoint.close()
