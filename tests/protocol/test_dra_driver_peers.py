"""The driver's sockets against peers that are no kubelet: each gets an error or is dropped, the kubelet is served."""

import asyncio
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from furiosa_npu.kubelet import dra_health_v1 as health
from furiosa_npu.kubelet.crowd import MAXIMUM_CONNECTIONS
from furiosa_npu.kubelet.unix_server import LIMITS
from tests.protocol.dra_place import ONE, PREPARED, Driver, Place, sockets_of
from tests.protocol.http2_peer import (
    END_HEADERS,
    HEADERS,
    PREFACE,
    SETTINGS,
    Answer,
    Peer,
    ask,
    frame,
    literal,
)

HELLO = PREFACE + frame(SETTINGS, 0, 0)
DRA = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"
REGISTRATION = "/pluginregistration.Registration"
CALLS = [
    (0, f"{DRA}/NodePrepareResources"),
    (0, f"{DRA}/NodeUnprepareResources"),
    (0, "/v1.DRAResourceHealth/NodeWatchResources"),
    (0, "/v1alpha1.DRAResourceHealth/NodeWatchResources"),
    (1, f"{REGISTRATION}/GetInfo"),
    (1, f"{REGISTRATION}/NotifyRegistrationStatus"),
]
"""each call of each of the two sockets"""


@pytest.fixture
def place(folder: str) -> Place:
    return Place(Path(folder))


async def _beside_a_kubelet(place: Place, act: Callable[[list[str]], Iterator[None]]) -> None:
    """What peers do in a thread; before and after, the kubelet's calls and its stream of health are answered."""
    driver = Driver()
    async with place.kubelet.living(), place.served(driver):
        await place.until_registered(1)
        async with place.kubelet.watch() as stream:
            driver.health.put_nowait(health.NodeWatchResourcesResponse())
            await stream.recv_message()
            await asyncio.to_thread(lambda: list(act([f"{place.folder}/{name}" for name in sockets_of("a")])))
            assert await place.kubelet.prepare(ONE) == PREPARED
            driver.health.put_nowait(health.NodeWatchResourcesResponse())
            assert await stream.recv_message() == health.NodeWatchResourcesResponse()
    assert place.sockets() == []


async def test_peers_that_speak_no_grpc_are_dropped(place: Place) -> None:
    """On either socket; that is a line in the log for each, however many they are."""
    noise = random.Random(1).randbytes(4096)  # noqa: S311 - any bytes do, the same each time

    def act(paths: list[str]) -> Iterator[None]:
        for path in paths:
            for first in (
                noise,
                b"GET /livez HTTP/1.1\r\nHost: node\r\n\r\n",
                PREFACE + noise,
                HELLO + frame(HEADERS, END_HEADERS, 1, noise[:200]),
                HELLO + frame(HEADERS, END_HEADERS, 1, literal(":path", f"{DRA}/NodePrepareResources")),
            ):
                with Peer(path, first) as peer:
                    yield
                    assert peer.is_dropped()

    await _beside_a_kubelet(place, act)
    assert len([line for line in place.lines if "dropped a peer" in line]) == 2


def _status(answer: Answer) -> tuple[str | None, str]:
    return answer.status, answer.message


@pytest.mark.parametrize(("which", "method"), CALLS)
async def test_a_message_beyond_the_bound_is_refused_before_it_is_read(place: Place, which: int, method: str) -> None:
    """A hundred megabytes cost what is announced of them."""

    def act(paths: list[str]) -> Iterator[None]:
        answer = ask(paths[which], method, struct.pack(">BI", 0, 100_000_000) + bytes(1_000_000))
        yield
        text = f"found a message of 100000000 bytes, expected {LIMITS.message_bytes} at most"
        assert (_status(answer), answer.sent < 2 * LIMITS.message_bytes) == (("8", text), True)

    await _beside_a_kubelet(place, act)


@pytest.mark.parametrize(("which", "method"), CALLS)
async def test_what_is_no_message_is_said_to_be_none(place: Place, which: int, method: str) -> None:
    """Bytes that no protobuf has, no message at all, one that is cut off."""

    def act(paths: list[str]) -> Iterator[None]:
        rubbish = ask(paths[which], method, struct.pack(">BI", 0, 3) + b"\x0a\xff\xff")
        nothing = ask(paths[which], method, b"")
        cut = ask(paths[which], method, struct.pack(">BI", 0, 9) + b"\x0a\x07")
        yield
        assert rubbish.status == "3"
        assert rubbish.message.endswith(": the message ends inside a number, at byte 3")
        assert _status(nothing) == ("3", "found no message, expected one")
        assert _status(cut) == ("3", "the message ends after 2 of 9 bytes")

    await _beside_a_kubelet(place, act)


async def test_calls_that_there_are_not_are_unimplemented(place: Place) -> None:
    """Among them those of the other socket, and of an older API."""

    def act(paths: list[str]) -> Iterator[None]:
        for path, method in (
            (paths[0], f"{REGISTRATION}/GetInfo"),
            (paths[0], "/v1beta1.DRAPlugin/NodePrepareResources"),
            (paths[1], f"{DRA}/NodePrepareResources"),
        ):
            assert ask(path, method, struct.pack(">BI", 0, 0)).status == "12"
            yield

    await _beside_a_kubelet(place, act)


async def test_more_connections_than_there_is_room_for_push_out_each_other(place: Place) -> None:
    """Those that say nothing, the oldest first; never the kubelet's, on which it was answered."""

    def act(paths: list[str]) -> Iterator[None]:
        for path in paths:
            peers = [Peer(path) for _ in range(50)]
            yield
            dropped = [peer.is_dropped() for peer in peers[:-MAXIMUM_CONNECTIONS]]
            assert dropped == [True] * (50 - MAXIMUM_CONNECTIONS)
            for peer in peers:
                peer.socket.close()

    await _beside_a_kubelet(place, act)


async def test_a_claim_asked_for_twice_or_without_a_name_is_one_answer_by_its_uid(place: Place) -> None:
    """The answer is a map by UID; what the driver makes of strange names is the driver's."""
    async with place.kubelet.living(), place.served(Driver()):
        await place.until_registered(1)
        assert await place.kubelet.prepare(ONE, ONE) == PREPARED
        assert await place.kubelet.prepare() == {}
