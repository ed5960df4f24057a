"""The plugin's sockets against peers that are no kubelet: it serves on, memory is bounded, nothing of them is left."""

import asyncio
import os
import random
import resource
import struct
from collections.abc import Callable, Iterator, Sequence

import pytest

from furiosa_npu.demo.node import Node
from furiosa_npu.kubelet.crowd import MAXIMUM_CONNECTIONS
from furiosa_npu.kubelet.unix_server import LIMITS
from tests.protocol.http2_peer import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    Peer,
    ask,
    call,
    call_headers,
    frame,
    literal,
)
from tests.protocol.plugin_node import (
    ALPHA,
    HEALTHY,
    PLAIN,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    client,
    plugin_node,
    said,
    sockets,
    until,
    until_health,
)

GROWTH_KIB = 8192
"""The bound on the plugin's memory over what it has at rest, at its highest, whatever peers do."""
HUNDRED_MB = 100_000_000
CONNECTIONS = 10_000
HELLO = PREFACE + frame(SETTINGS, 0, 0)

Act = Callable[[Sequence[str]], list[Peer]]
"""What peers do on the plugin's sockets; returns the connections that are still held."""


def _rubbish(paths: Sequence[str]) -> list[Peer]:
    """No HTTP/2 at all, or none after the first bytes."""
    noise = random.Random(1).randbytes(4096)  # noqa: S311 - any bytes do, the same each time
    many_settings = b"".join(struct.pack(">HI", code, 1) for code in range(4096, 4096 + 1000))
    for first in (
        noise,
        b"GET /livez HTTP/1.1\r\nHost: node\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise[:500],
        PREFACE + noise,
        PREFACE + b"\xff\xff\xff" + bytes(6),
        PREFACE + frame(SETTINGS, 0, 0, many_settings),
        HELLO + frame(HEADERS, END_HEADERS, 1, noise[:200]),
        HELLO + frame(HEADERS, END_HEADERS, 1, literal(":path", "/v1beta1.DevicePlugin/Allocate")),
        HELLO + frame(HEADERS, END_HEADERS, 1, call_headers("Allocate") + literal("x-bin", "abcde")),
        HELLO + frame(DATA, 0, 1, b"x"),
        HELLO + frame(SETTINGS, ACK, 0, b"x"),
    ):
        with Peer(paths[0], first) as peer:
            assert peer.is_dropped()
    return []


def _half_a_frame(paths: Sequence[str]) -> list[Peer]:
    """And then nothing; the connection stays."""
    return [
        Peer(paths[0], (HELLO + call(1, "Allocate"))[:cut])
        for cut in (1, 23, 24, 30, 33, 40, 60, 200, len(HELLO) + len(call(1, "Allocate")) - 1)
    ]


def _a_hundred_megabytes(paths: Sequence[str]) -> list[Peer]:
    """Announced, announced and sent, and sent without credit."""
    announced = struct.pack(">BI", 0, HUNDRED_MB)
    refused = ("8", f"found a message of {HUNDRED_MB} bytes, expected {LIMITS.message_bytes} at most")
    for body in (announced, announced + bytes(HUNDRED_MB)):
        answer = ask(paths[0], "Allocate", body)
        assert (answer.status, answer.message) == refused
        assert answer.sent < 2 * LIMITS.message_bytes
    silent = Peer(paths[0], HELLO + call(1, "Allocate", None) + frame(DATA, 0, 1, announced))
    greedy = Peer(paths[0], HELLO + call(1, "ListAndWatch", None) + frame(DATA, 0, 1, bytes(5)))
    greedy.fill(frame(DATA, 0, 1, bytes(16000)), HUNDRED_MB)
    assert greedy.is_dropped()
    return [silent, greedy]


def _headers_without_end(paths: Sequence[str]) -> list[Peer]:
    """A block of headers that goes on in one CONTINUATION after the other."""
    peer = Peer(paths[0], HELLO + frame(HEADERS, 0, 1, call_headers("Allocate")))
    assert peer.fill(frame(CONTINUATION, 0, 1, literal("x-header", "y" * 100) * 100), HUNDRED_MB) < 1_000_000
    assert peer.is_dropped()
    return [peer]


def _many_streams(paths: Sequence[str]) -> list[Peer]:
    """Calls without end on one connection, one that it may have and one that it may not."""
    within = Peer(paths[0], HELLO)
    for number in range(LIMITS.streams):
        assert within.send(call(2 * number + 1, "Allocate", None))
    beyond = Peer(paths[0], HELLO)
    for number in range(1000):
        beyond.send(call(2 * number + 1, "Allocate", None))
    assert beyond.is_dropped()
    return [within, beyond]


def _resets(paths: Sequence[str]) -> list[Peer]:
    """Calls that are taken back at once."""
    peer = Peer(paths[0], HELLO)
    for number in range(10_000):
        stream = 2 * number + 1
        assert peer.send(call(stream, "ListAndWatch") + frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))
    return [peer]


def _no_reads(paths: Sequence[str]) -> list[Peer]:
    """Pings whose answers nobody reads: the plugin takes no more of them once it cannot answer."""
    peers = [Peer(paths[0], HELLO + call(1, "ListAndWatch")) for _ in range(2)]
    for peer in peers:
        assert peer.fill(frame(PING, 0, 0, b"12345678") * 500, HUNDRED_MB) < 2_000_000
    return peers


def _data_without_size(paths: Sequence[str]) -> list[Peer]:
    """Frames of no byte, which no flow control counts, and of one, on a stream whose handler reads no more."""
    empty, single = (Peer(paths[0], HELLO + call(1, "ListAndWatch", None)) for _ in range(2))
    for peer in (empty, single):
        peer.send(frame(DATA, 0, 1, bytes(5)))
    empty.fill(frame(DATA, 0, 1) * 1000, 3_000_000)
    single.fill(frame(DATA, 0, 1, b"x") * 1000, 3_000_000)
    return [empty, single]


def _much_at_once(paths: Sequence[str]) -> list[Peer]:
    """As many connections as there may be, each with as many calls, and as much of a message, as it has credit for."""
    part = LIMITS.message_bytes // LIMITS.streams
    peers = []
    for path in paths:
        for _ in range(MAXIMUM_CONNECTIONS):
            peer = Peer(path, HELLO)
            for stream in range(1, 2 * LIMITS.streams, 2):
                peer.send(call(stream, "Allocate", None))
                peer.send(frame(DATA, 0, stream, struct.pack(">BI", 0, part + 1) + bytes(part - 5)))
            peers.append(peer)
    return peers


def _watchers(paths: Sequence[str]) -> list[Peer]:
    """More ListAndWatch streams than there may be connections; none is read."""
    return [Peer(paths[0], HELLO + call(1, "ListAndWatch")) for _ in range(5 * MAXIMUM_CONNECTIONS)]


def _ten_thousand(paths: Sequence[str]) -> list[Peer]:
    """Connections that say nothing, or hello, or half a call."""
    firsts = (b"", PREFACE, HELLO + call(1, "Allocate", None))
    return [Peer(paths[number % 2], firsts[number % 3]) for number in range(CONNECTIONS)]


ACTS: tuple[Act, ...] = (
    _rubbish,
    _half_a_frame,
    _a_hundred_megabytes,
    _headers_without_end,
    _many_streams,
    _resets,
    _no_reads,
    _data_without_size,
    _much_at_once,
    _watchers,
    _ten_thousand,
)


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """This process may hold as many connections as the peers make."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, before[1])))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _kib(pid: int, name: str) -> int:
    """A line of /proc/PID/status: VmRSS, or VmHWM, the highest it ever was."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(f"{name}:"))


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _pid(node: Node) -> int:
    assert node.plugin is not None
    return node.plugin.pid


async def _until_descriptors(node: Node, most: int) -> None:
    """The plugin has closed what its peers left; each question is a turn of its loop."""
    for _ in range(1000):
        if _descriptors(_pid(node)) <= most:
            return
        await client(node, PLAIN).get_options()
    raise AssertionError(f"{_descriptors(_pid(node))} file descriptors are open, {most} were at rest")


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__.strip("_"))
async def test_the_kubelet_is_served_on_whatever_a_peer_does(folder: str, act: Act) -> None:
    """While they hold their connections: the same stream tells of a failure, calls are answered, memory is bounded."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        paths = [f"{node.device_plugins_dir}/{name}" for name in sockets(node)]
        await client(node, PLAIN).get_options()
        with open(f"/proc/{_pid(node)}/clear_refs", "w", encoding="ascii") as highest:  # noqa: ASYNC230 - procfs
            highest.write("5")  # forgets what the start took
        rest, descriptors = _kib(_pid(node), "VmRSS"), _descriptors(_pid(node))
        registered = len(node.kubelet.journal.of("Register"))
        peers = await asyncio.to_thread(act, paths)
        try:
            node.simulation.fail("npu1")
            for resource_name in (ALPHA, PLAIN):
                await until_health(node, resource_name, HEALTHY, UNHEALTHY)
            assert (await client(node, ALPHA).allocate([card_id(0)])).envs["NPU_DEVNAME"]
            assert _kib(_pid(node), "VmHWM") - rest < GROWTH_KIB
        finally:
            for peer in peers:
                peer.socket.close()
        await _until_descriptors(node, descriptors)
        assert len(node.kubelet.journal.of("Register")) == registered
        assert not said(node, "traceback")


async def test_a_stranger_with_a_stream_is_not_taken_for_the_kubelet(folder: str) -> None:
    """The kubelet's own stream ends: the plugin registers again, though somebody else's stream is open."""
    async with plugin_node(folder, cards("warboy")) as node:
        request = node.kubelet.journal.of("Register", PLAIN)[0].request
        with Peer(f"{node.device_plugins_dir}/{request.endpoint}", HELLO + call(1, "ListAndWatch")) as stranger:
            received = b""
            while card_id(0).encode() not in received:
                received += await asyncio.to_thread(stranger.socket.recv, 65536)
            node.kubelet.hang_up(PLAIN)
            await until(node, lambda: len(node.kubelet.journal.of("Register", PLAIN)) == 2, "it registers again")
            await node.until_allocatable(PLAIN, 1, SECONDS)
