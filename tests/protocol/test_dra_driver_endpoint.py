"""A driver's sockets, as a kubelet finds them and calls on them."""

import asyncio
import os
import shutil
import socket
from pathlib import Path

import pytest

from furiosa_npu.dra_driver.endpoint import FOLDER_SECONDS, LOOK_SECONDS
from furiosa_npu.kubelet import dra_health_v1 as health
from furiosa_npu.kubelet import dra_v1 as dra
from furiosa_npu.kubelet.pluginregistration_v1 import PluginInfo
from tests.jumping_loop import run
from tests.protocol.dra_kubelet import SECONDS
from tests.protocol.dra_place import NPU0, ONE, PREPARED, TWO, Driver, Place, sockets_of, until


@pytest.fixture
def place(folder: str) -> Place:
    return Place(Path(folder))


async def test_a_kubelet_finds_registers_and_calls_the_driver(place: Place) -> None:
    """Each claim has its own answer; one that fails is no other's error. At the end nothing is left."""
    driver = Driver()
    async with place.kubelet.living(), place.served(driver) as endpoint:
        assert [part for part, _ in place.conditions.troubles()] == ["registration"]
        await place.until_registered(1)
        path = f"{place.kubelet.folder}/plugins/npu.furiosa.ai/a.sock"
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
    assert (place.sockets(), place.kubelet.failures) == ([], [])


@pytest.mark.parametrize("service", [None, "v1alpha1.DRAResourceHealth"])
async def test_a_kubelet_watches_the_health_of_the_devices(place: Place, service: str | None) -> None:
    """Under today's name and yesterday's; the driver is told when nobody watches any more."""
    driver = Driver()
    told = health.NodeWatchResourcesResponse(
        (health.DeviceHealth(health.DeviceIdentifier("node01", "npu-0"), health.UNHEALTHY, 5, 30, "too hot"),)
    )
    async with place.kubelet.living(), place.served(driver):
        await place.until_registered(1)
        async with place.kubelet.watch(service) as stream:
            driver.health.put_nowait(told)
            assert await stream.recv_message() == told
            assert driver.watchers == 1
        async with asyncio.timeout(SECONDS):
            await driver.watched_by_nobody.wait()


async def test_a_watcher_s_stream_ends_with_the_instance(place: Place) -> None:
    """The kubelet is told of the end, and opens its next stream on whoever is there then."""
    driver = Driver()
    async with place.kubelet.living():
        async with place.served(driver):
            await place.until_registered(1)
            line = place.kubelet.driver.line
            async with place.kubelet.watch() as stream:
                driver.health.put_nowait(health.NodeWatchResourcesResponse())
                await stream.recv_message()
        assert (driver.watchers, line.is_connected) == (0, False)


async def test_a_refused_registration_is_said_with_the_kubelets_reason(place: Place) -> None:
    """It asks again by itself, and all is well when it takes the driver."""
    endpoint = place.endpoint(Driver())
    await endpoint.keep()
    place.kubelet.refuses = "unsupported version"
    await place.kubelet.look()
    reason = "the kubelet does not register this driver: unsupported version"
    assert (place.conditions.troubles(), place.registrations) == ((("registration", reason),), 0)
    place.kubelet.refuses = "x" * 100_000
    await place.kubelet.look()
    ((_, reason),) = place.conditions.troubles()
    assert len(reason) < 1100
    place.kubelet.refuses = None
    await place.kubelet.look()
    assert (place.conditions.troubles(), place.registrations) == ((), 1)
    place.kubelet.stop()
    await endpoint.close()


async def test_a_kubelet_that_is_too_old_is_named_as_the_reason(folder: str) -> None:
    """1.33 and older speak v1beta1 alone; what they say of that stands in the condition."""
    place = Place(Path(folder), services=("v1beta1.DRAPlugin",))
    endpoint = place.endpoint(Driver())
    await endpoint.keep()
    await place.kubelet.look()
    ((part, reason),) = place.conditions.troubles()
    assert (part, place.kubelet.registered) == ("registration", [])
    assert reason.endswith("are supported by the kubelet (['v1beta1.DRAPlugin'])")
    await endpoint.close()


async def test_a_kubelet_that_was_restarted_registers_the_driver_again(place: Place) -> None:
    """From the same socket; the driver is told each time, since a kubelet that starts deletes its slices."""
    async with place.served(Driver()):
        async with place.kubelet.living():
            await place.until_registered(1)
            made = os.stat(place.folder / sockets_of("a")[1]).st_ino
        async with place.kubelet.living():
            await place.until_registered(2)
            assert os.stat(place.folder / sockets_of("a")[1]).st_ino == made
            assert await place.kubelet.prepare(ONE) == PREPARED


@pytest.mark.parametrize("lost", [0, 1])
async def test_a_socket_that_was_removed_is_made_again(place: Place, lost: int) -> None:
    """At an event of its folder, whichever of the two it was; the other one stays, and calls are answered."""
    async with place.kubelet.living(), place.served(Driver()) as endpoint:
        await place.until_registered(1)
        assert endpoint.folders == (f"{place.folder}/plugins_registry", f"{place.folder}/plugins/npu.furiosa.ai")
        kept = os.stat(place.folder / sockets_of("a")[1 - lost]).st_ino
        (place.folder / sockets_of("a")[lost]).unlink()
        endpoint.wake()
        await until(lambda: place.sockets() == sockets_of("a"))
        assert os.stat(place.folder / sockets_of("a")[1 - lost]).st_ino == kept
        if lost == 1:
            await place.until_registered(2)
        assert await place.kubelet.prepare(ONE) == PREPARED


def test_a_socket_whose_removal_nobody_told_is_made_again_after_half_a_minute(folder: str) -> None:
    """Events can be lost; the next look does not depend on them."""

    async def story() -> None:
        place, loop = Place(Path(folder)), asyncio.get_running_loop()
        async with place.served(Driver()):
            await until(lambda: place.sockets() == sockets_of("a"))
            (place.folder / sockets_of("a")[1]).unlink()
            await asyncio.sleep(LOOK_SECONDS - loop.time() - 1)
            assert place.sockets() == sockets_of("a")[:1]
            await asyncio.sleep(2)
            assert place.sockets() == sockets_of("a")

    run(story())


def test_without_the_kubelets_folder_the_driver_waits_and_says_so(folder: str) -> None:
    """It is found within a second of the folder's coming, and what was said of the folder is over."""

    async def story() -> None:
        place = Place(Path(folder))
        shutil.rmtree(place.folder / "plugins_registry")
        async with place.served(Driver()):
            await asyncio.sleep(10 * FOLDER_SECONDS)
            troubles = dict(place.conditions.troubles())
            path = f"{folder}/plugins_registry/npu.furiosa.ai-a-reg.sock"
            why = "No such file or directory: no socket can be made there, expected the kubelet's folder, writable"
            assert (sorted(troubles), troubles["sockets"]) == (["registration", "sockets"], f"{path}: {why}")
            assert len([line for line in place.lines if why in line]) == 1
            (place.folder / "plugins_registry").mkdir()
            await asyncio.sleep(FOLDER_SECONDS)
            assert place.sockets() == sockets_of("a")
            ((part, reason),) = place.conditions.troubles()
            expected = f"it looks for sockets in {folder}/plugins_registry (Kubernetes 1.34 on)"
            assert (part, reason) == (
                "registration",
                f"the kubelet has not registered this driver yet: {expected}",
            )

    run(story())


async def test_a_name_that_is_too_long_for_a_socket_is_said_with_its_length(place: Place) -> None:
    """The system would say `invalid argument`, or nothing of the bound."""
    endpoint = place.endpoint(Driver(), "x" * 100)
    assert not await endpoint.keep()
    path = f"{place.folder}/plugins/npu.furiosa.ai/{'x' * 100}.sock"
    reason = f"{path}: a path of {len(path)} bytes, expected 107 at most for a socket"
    assert dict(place.conditions.troubles())["sockets"] == reason


async def test_what_is_no_socket_is_not_replaced(place: Place) -> None:
    """A file of somebody else's in the socket's place is said, and left alone."""
    path = place.folder / sockets_of("a")[1]
    path.write_text("mine")
    endpoint = place.endpoint(Driver())
    assert not await endpoint.keep()
    assert "is already in use" in dict(place.conditions.troubles())["sockets"]
    await endpoint.close()
    assert path.read_text() == "mine"


async def test_sockets_that_a_killed_instance_left_are_removed(place: Place) -> None:
    """Those that answer stay, and so do other drivers', and files."""
    for name in sockets_of("dead"):
        (place.folder / name).parent.mkdir(exist_ok=True)
        _dead_socket(place.folder / name)
    _dead_socket(place.folder / "plugins_registry/other.example.com-reg.sock")
    (place.folder / "plugins/npu.furiosa.ai/state.json").write_text("{}")
    other = place.endpoint(Driver(), "b")
    await other.keep()
    async with place.served(Driver()):
        await until(lambda: "dead" not in str(place.sockets()))
        expected = [*sockets_of("a", "b"), "plugins_registry/other.example.com-reg.sock"]
        assert place.sockets() == sorted(expected)
        assert (place.folder / "plugins/npu.furiosa.ai/state.json").exists()
        assert len([line for line in place.lines if "removed the socket of an instance that is gone" in line]) == 2
    await other.close()


def _dead_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
