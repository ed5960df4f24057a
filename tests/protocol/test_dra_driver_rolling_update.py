"""Two instances of the driver at once: none of the kubelet's calls goes astray."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from furiosa_npu.dra_driver.endpoint import LEAVE_SECONDS
from tests.jumping_loop import run
from tests.protocol.dra_place import ONE, PREPARED, TWO, Driver, Place, sockets_of, until


@pytest.fixture
def place(folder: str) -> Place:
    return Place(Path(folder))


async def test_the_newer_instance_is_called_and_after_its_end_the_older_one(place: Place) -> None:
    """Each has its own sockets; the one that leaves takes only its own with it."""
    old, new = place.endpoint(Driver("old"), "a"), place.endpoint(Driver("new"), "b")
    for endpoint in (old, new):
        await endpoint.keep()
        await place.kubelet.look()
    assert (await place.kubelet.prepare(TWO))["uid-2"].error == "new: no such device"
    async with place.kubelet.living():
        await new.close()
        assert (await place.kubelet.prepare(TWO))["uid-2"].error == "old: no such device"
        assert place.sockets() == sockets_of("a")
        await old.close()
    assert (place.sockets(), place.kubelet.failures) == ([], [])


async def test_twenty_rolling_updates_fail_no_call(place: Place) -> None:
    """Claims are prepared all the while: each is answered well."""
    updated = False
    calls = 0

    async def pods_start() -> None:
        nonlocal calls
        while not updated:
            assert await place.kubelet.prepare(ONE) == PREPARED
            calls += 1

    async with place.kubelet.living(), AsyncExitStack() as instances:
        await instances.enter_async_context(place.served(Driver(), "0"))
        await place.until_registered(1)
        pods = asyncio.create_task(pods_start())
        for number in range(1, 21):
            older = instances.pop_all()
            await instances.enter_async_context(place.served(Driver(), str(number)))
            await place.until_registered(number + 1)
            await older.aclose()
            assert place.sockets() == sockets_of(str(number))
        updated = True
        await pods
    assert calls > 20
    assert (place.sockets(), place.kubelet.failures) == ([], [])


async def test_what_is_called_before_the_kubelet_knows_of_the_leaving_is_answered(place: Place) -> None:
    """It looks at its folder once a second: until then the driver's socket stays, and goes at once afterwards."""
    endpoint = place.endpoint(Driver())
    await endpoint.keep()
    await place.kubelet.look()
    leaving = asyncio.create_task(endpoint.close())
    await until(lambda: place.sockets() == sockets_of("a")[:1])
    assert await place.kubelet.prepare(ONE) == PREPARED
    await place.kubelet.look()
    await leaving
    assert place.sockets() == []


def test_a_kubelet_that_hangs_is_not_waited_for_longer_than_three_seconds(folder: str) -> None:
    """The driver's end does not depend on what a peer does."""

    async def story() -> None:
        place, loop = Place(Path(folder)), asyncio.get_running_loop()
        endpoint = place.endpoint(Driver())
        await endpoint.keep()
        await place.kubelet.look()
        started = loop.time()
        await endpoint.close()
        assert (loop.time() - started, place.sockets()) == (LEAVE_SECONDS, [])
        place.kubelet.stop()

    run(story())


def test_with_no_kubelet_connected_an_instance_leaves_at_once(folder: str) -> None:
    """Nobody is there to be waited for."""

    async def story() -> None:
        place, loop = Place(Path(folder)), asyncio.get_running_loop()
        endpoint = place.endpoint(Driver())
        await endpoint.keep()
        await place.kubelet.look()
        place.kubelet.stop()
        await endpoint.close()
        assert (loop.time(), place.sockets()) == (0, [])

    run(story())


@pytest.mark.parametrize("backwards", [False, True])
async def test_a_restarted_kubelet_may_call_either_instance(place: Place, *, backwards: bool) -> None:
    """It registers both in any order; each answers, and the one that stays still does when the other left."""
    endpoints = [place.endpoint(Driver(), "a"), place.endpoint(Driver(), "b")]
    for endpoint in endpoints:
        await endpoint.keep()
    await place.kubelet.look()
    place.kubelet.stop()
    await place.kubelet.look(backwards=backwards)
    instance = "a" if backwards else "b"
    assert place.kubelet.driver.info.endpoint == f"{place.folder}/plugins/npu.furiosa.ai/{instance}.sock"
    assert await place.kubelet.prepare(ONE) == PREPARED
    async with place.kubelet.living():
        await endpoints.pop(0 if backwards else 1).close()
        assert await place.kubelet.prepare(ONE) == PREPARED
        await endpoints.pop().close()


async def test_the_newest_instance_knows_that_it_is(place: Place) -> None:
    """It alone publishes, and has the last word about the node; the older one also knows when its sockets are gone."""
    old, new = place.endpoint(Driver(), "a"), place.endpoint(Driver(), "b")
    await old.keep()
    assert old.is_newest()
    await new.keep()
    assert (old.is_newest(), new.is_newest()) == (False, True)
    await old.close()
    assert (old.is_newest(), new.is_newest()) == (False, True)
    await new.close()
    assert new.is_newest()
