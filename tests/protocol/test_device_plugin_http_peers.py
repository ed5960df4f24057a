"""The plugin's HTTP port against clients that are no probe: /livez answers in a probe's time, memory is bounded."""

import asyncio
import os
import random
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from furiosa_npu.agent.http import MAXIMUM_CONNECTIONS
from furiosa_npu.demo.node import Node
from tests.protocol.plugin_node import SECONDS, cards, free_port, said

PROBE_SECONDS = 1.0
"""`timeoutSeconds` of a probe that sets none"""
GROWTH_KIB = 4096
"""The bound on the plugin's memory over what it has at rest, at its highest, whatever clients do."""
CONNECTIONS = 10_000
GET = b"GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n"

Act = Callable[[int], list[socket.socket]]
"""What clients do on the port; returns the connections that are still held."""


def _connect(port: int, first: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), SECONDS)
    _send(client, first)
    return client


def _send(client: socket.socket, data: bytes) -> bool:
    """False: the other end is gone, or takes no more for half a second."""
    client.settimeout(0.5)
    try:
        client.sendall(data)
    except (ConnectionError, TimeoutError):
        return False
    return True


def _rubbish(port: int) -> list[socket.socket]:
    """Noise, HTTP/2, TLS."""
    noise = random.Random(1)  # noqa: S311 - any bytes do, the same each time
    hellos = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 9000)
    return [_connect(port, hello + noise.randbytes(3000)) for hello in hellos for _ in range(20)]


def _half_requests(port: int) -> list[socket.socket]:
    """And then nothing; the connection stays."""
    return [_connect(port, GET[: number % len(GET)]) for number in range(200)]


def _headers_without_end(port: int) -> list[socket.socket]:
    """A hundred megabytes of header lines; refused long before."""
    client = _connect(port, b"GET /livez HTTP/1.1\r\n")
    line = b"X-Header: " + b"y" * 1000 + b"\r\n"
    sent = 0
    while sent < 100_000_000 and _send(client, line * 10):
        sent += 10 * len(line)
    assert sent < 10_000_000
    return [client]


def _a_large_body(port: int) -> list[socket.socket]:
    """A hundred megabytes after a request that has none."""
    client = _connect(port, b"POST /livez HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n")
    sent = 0
    while sent < 100_000_000 and _send(client, bytes(65536)):
        sent += 65536
    assert sent < 10_000_000
    return [client]


def _no_reads(port: int) -> list[socket.socket]:
    """Whole requests whose answers nobody reads, through windows as small as they get."""
    clients = []
    for _ in range(200):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.connect(("127.0.0.1", port))
        _send(client, GET)
        clients.append(client)
    return clients


def _ten_thousand(port: int) -> list[socket.socket]:
    """Connections that say nothing, half a request, or a whole one."""
    firsts = (b"", GET[:20], GET)
    return [_connect(port, firsts[number % 3]) for number in range(CONNECTIONS)]


ACTS: tuple[Act, ...] = (_rubbish, _half_requests, _headers_without_end, _a_large_body, _no_reads, _ten_thousand)


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """This process may hold as many connections as the clients make."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, before[1])))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def _livez(port: int, plugin: int) -> bytes:
    """The whole answer, in a probe's time: without that in which plugin or client were kept waiting for a processor."""
    started, before = time.monotonic(), _waits(plugin) | _waits(os.getpid())
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: node\r\n\r\n")
        answer = await reader.read()
        writer.close()
    after = _waits(plugin) | _waits(os.getpid())
    waited = sum(now - before.get(thread, 0) for thread, now in after.items()) / 1e9
    assert time.monotonic() - started - waited < PROBE_SECONDS
    return answer


def _waits(pid: int) -> dict[str, int]:
    """For how many nanoseconds each thread of the process could run and had no processor, by its number
    (/proc/PID/task/TID/schedstat). What one that has ended since had waited before is not taken for time."""
    waits = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            waits[thread.name] = int((thread / "schedstat").read_text().split()[1])
    return waits


def _kib(pid: int, name: str) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(f"{name}:"))


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__.strip("_"))
async def test_a_probe_is_answered_in_its_time_whatever_clients_do(folder: str, act: Act) -> None:
    """While they do it and while they hold their connections; nothing of them is left after."""
    port = free_port()
    async with Node(folder, cards("warboy")) as node:
        plugin = await node.start_plugin(listen_address=f"127.0.0.1:{port}")
        await node.until_allocatable("furiosa.ai/npu", 1, SECONDS)
        expected = await _livez(port, plugin.pid)
        assert expected.startswith(b"HTTP/1.1 200 OK\r\n")
        with open(f"/proc/{plugin.pid}/clear_refs", "w", encoding="ascii") as highest:  # noqa: ASYNC230 - procfs
            highest.write("5")  # forgets what the start took
        rest, descriptors = _kib(plugin.pid, "VmRSS"), _descriptors(plugin.pid)
        acting = asyncio.create_task(asyncio.to_thread(act, port))
        while not acting.done():
            assert await _livez(port, plugin.pid) == expected
        clients = await acting
        try:
            assert await _livez(port, plugin.pid) == expected
            assert _kib(plugin.pid, "VmHWM") - rest < GROWTH_KIB
            assert _descriptors(plugin.pid) <= descriptors + 2 * MAXIMUM_CONNECTIONS
        finally:
            for client in clients:
                client.close()
        for _ in range(1000):
            if (left := _descriptors(plugin.pid)) <= descriptors:
                break
            await _livez(port, plugin.pid)
        assert left <= descriptors
        assert not said(node, "traceback")
