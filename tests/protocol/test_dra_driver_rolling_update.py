"""Two instances of the driver at once: none of the kubelet's calls goes astray."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from furiosa_npu.dra_driver.endpoint import CALLS_SECONDS, LEAVE_SECONDS, LOOK_SECONDS
from furiosa_npu.dra_driver.instances import TOLERATED_SECONDS
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


async def test_a_call_under_way_is_answered_before_its_instance_is_found_no_more(place: Place) -> None:
    """The kubelet breaks it off when the instance's socket is gone from its registry folder."""
    driver = Driver()
    driver.answers.clear()
    async with place.kubelet.living():
        endpoint = place.endpoint(driver)
        await endpoint.keep()
        await place.until_registered(1)
        asked = asyncio.create_task(place.kubelet.prepare(ONE))
        await driver.asked.wait()
        leaving = asyncio.create_task(endpoint.close())
        for _ in range(100):
            await asyncio.sleep(0)
        assert place.sockets() == sockets_of("a")
        driver.answers.set()
        assert await asked == PREPARED
        await leaving
    assert (place.sockets(), place.kubelet.failures) == ([], [])


def test_a_call_that_is_not_answered_is_waited_for_two_seconds(folder: str) -> None:
    """Then the instance is found no more, and its end is as near as ever."""

    async def story() -> None:
        place, loop, driver = Place(Path(folder)), asyncio.get_running_loop(), Driver()
        driver.answers.clear()
        endpoint = place.endpoint(driver)
        await endpoint.keep()
        await place.kubelet.look()
        asked = asyncio.create_task(place.kubelet.prepare(ONE))
        await driver.asked.wait()
        started = loop.time()
        leaving = asyncio.create_task(endpoint.close())
        await asyncio.sleep(CALLS_SECONDS - 0.1)
        assert place.sockets() == sockets_of("a")
        await asyncio.sleep(0.2)
        assert place.sockets() == sockets_of("a")[:1]
        await leaving
        assert (loop.time() - started, place.sockets()) == (LEAVE_SECONDS, [])
        await asyncio.gather(asked, return_exceptions=True)
        place.kubelet.stop()

    run(story())


def test_a_kubelet_that_hangs_is_not_waited_for_longer_than_four_seconds(folder: str) -> None:
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


def test_a_newer_instance_that_stays_is_told_and_one_of_a_rolling_update_is_not(folder: str) -> None:
    """Two DaemonSets: both serve and one publishes, and nobody else would say so."""

    async def story() -> None:
        old, new = Place(Path(folder)), Place(Path(folder))
        async with old.served(Driver(), "a"):
            async with new.served(Driver(), "b"):
                await asyncio.sleep(TOLERATED_SECONDS / 2)
            await asyncio.sleep(LOOK_SECONDS)
            assert old.lines == []
            async with new.served(Driver(), "b"):
                await asyncio.sleep(3 * LOOK_SECONDS)
                (said,), (event,) = old.lines, old.twice
                assert f"{old.folder}/plugins/npu.furiosa.ai/2-b.instance: another instance" in said
                assert event in said
            await asyncio.sleep(LOOK_SECONDS)
            assert [line.partition(" ")[2] for line in old.lines[1:]] == ["info well again part=instances\n"]
        assert (new.lines, new.twice, len(old.twice)) == ([], [], 1)

    run(story())


async def test_an_older_instance_whose_sockets_are_made_again_is_not_the_newest(place: Place) -> None:
    """Somebody removed them by hand; the newer one's are gone for a moment, too, and it is the newest all the while."""
    old, new = place.endpoint(Driver(), "a"), place.endpoint(Driver(), "b")
    for endpoint in (old, new):
        await endpoint.keep()
    for path in place.folder.rglob("*.sock"):
        path.unlink()
    await old.keep()
    assert (place.sockets(), old.is_newest(), new.is_newest()) == (sockets_of("a"), False, True)
    await new.keep()
    assert (place.sockets(), old.is_newest(), new.is_newest()) == (sockets_of("a", "b"), False, True)
    for endpoint in (old, new):
        await endpoint.close()
