"""Probes and metrics over real sockets on loopback, driven by a selectors loop."""

import gc
import os
import resource
import selectors
import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.agent.address import Address
from furiosa_npu.agent.http import IDLE_SECONDS, MAXIMUM_CONNECTIONS, Listener
from furiosa_npu.agent.http_request import MAXIMUM_BYTES, TEXT, Fault, Request, parse_request

BIG = "x" * 8_000_000

PAGES = {
    "/livez": lambda: (200, TEXT, "ok\n"),
    "/readyz": lambda: (503, TEXT, "not ready: api server: refused\n"),
    "/metrics": lambda: (200, TEXT, BIG),
}


class Loop:
    """The least event loop: add_reader, remove_reader, one turn."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.time = 0.0

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self.selector.register(fd, selectors.EVENT_READ, callback)

    def remove_reader(self, fd: int) -> None:
        self.selector.unregister(fd)

    def turn(self, timeout: float = 5.0) -> int:
        """Waits for events (or the deadline) and hands them out; how many there were."""
        events = self.selector.select(timeout)
        for key, _ in events:
            if key.fd in self.selector.get_map():
                key.data()
        return len(events)


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop that is closed at the end."""
    loop = Loop()
    yield loop
    loop.selector.close()


@pytest.fixture
def listener(loop: Loop) -> Iterator[Listener]:
    """A listener on a free loopback port, whose clock is the loop's `time`."""
    listener = Listener(Address("127.0.0.1", 0), PAGES, loop.add_reader, loop.remove_reader, lambda: loop.time)
    yield listener
    listener.close()


def _connect(listener: Listener) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", listener.port), 5)
    client.setblocking(False)
    return client


def _everything(loop: Loop, client: socket.socket) -> bytes:
    """What the client gets until the server ends its side; b"" where the connection was reset."""
    received = b""
    while True:
        try:
            data = client.recv(1 << 20)
        except BlockingIOError:
            assert loop.turn() > 0, f"no event within the deadline; received so far: {received[:200]!r}"
            continue
        except ConnectionResetError:
            return b""
        if not data:
            return received
        received += data


def _ask(loop: Loop, listener: Listener, request: bytes) -> bytes:
    with _connect(listener) as client:
        client.send(request)
        return _everything(loop, client)


def test_a_page_is_answered_whole(loop: Loop, listener: Listener) -> None:
    """Status, headers and body, to the byte."""
    answer = _ask(loop, listener, b"GET /livez?verbose HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
        b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\nok\n"
    )


@pytest.mark.parametrize(
    ("request_bytes", "status", "body"),
    [
        (b"GET /readyz HTTP/1.1\r\n\r\n", 503, b"not ready: api server: refused\n"),
        (b"HEAD /livez HTTP/1.0\r\n\r\n", 200, b""),
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404, b"expected one of /livez /readyz /metrics\n"),
        (b"HEAD /nothing HTTP/1.1\r\n\r\n", 404, b""),
        (b"POST /livez HTTP/1.1\r\n\r\n", 405, b"expected GET or HEAD\n"),
        (b"hello\r\n\r\n", 400, b"the request line is not METHOD /PATH HTTP/1.x\n"),
        (b"GET /livez HTTP/1.1\r\nbad header\r\n\r\n", 400, b"a header line is not NAME: VALUE\n"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, b"the request line is not METHOD /PATH HTTP/1.x\n"),
        (b"GET / HTTP/2.0\r\n\r\n", 505, b"the version is not HTTP/1.0 or HTTP/1.1\n"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, b"the request line is not METHOD /PATH HTTP/1.x\n"),
        (b"GET /" + b"x" * 20000, 431, b"the request is longer than 8192 bytes\n"),
    ],
)
def test_each_wrong_request_gets_its_own_answer(
    loop: Loop, listener: Listener, request_bytes: bytes, status: int, body: bytes
) -> None:
    """The status says who is at fault, the body what was expected."""
    head, _, content = _ask(loop, listener, request_bytes).partition(b"\r\n\r\n")
    assert (int(head.split()[1]), content) == (status, body)


def test_a_request_may_come_byte_by_byte(loop: Loop, listener: Listener) -> None:
    """TCP promises no message boundaries."""
    with _connect(listener) as client:
        for byte in b"GET /livez HTTP/1.1\r\n\r\n":
            client.send(bytes([byte]))
            loop.turn()
        assert _everything(loop, client).endswith(b"ok\n")


def test_a_page_larger_than_the_socket_takes_is_sent_whole_without_blocking(loop: Loop, listener: Listener) -> None:
    """The rest waits until the client has read; meanwhile others are served."""
    with _connect(listener) as slow:
        slow.send(b"GET /metrics HTTP/1.1\r\n\r\n")
        loop.turn()
        assert _ask(loop, listener, b"GET /livez HTTP/1.1\r\n\r\n").endswith(b"ok\n")
        assert _everything(loop, slow).partition(b"\r\n\r\n")[2] == BIG.encode()


@pytest.mark.parametrize("request_bytes", [b"", b"GET /li", b"GET /metrics HTTP/1.1\r\n\r\n"])
def test_a_client_that_vanishes_leaves_nothing_behind(loop: Loop, listener: Listener, request_bytes: bytes) -> None:
    """Before, in the middle of, and after its request; with a reset where data was left."""
    watched = len(loop.selector.get_map())
    client = _connect(listener)
    client.send(request_bytes)
    loop.turn()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    while len(loop.selector.get_map()) > watched:
        assert loop.turn() > 0
    assert _ask(loop, listener, b"GET /livez HTTP/1.1\r\n\r\n").endswith(b"ok\n")


def test_connections_are_bounded_and_the_oldest_goes_first(loop: Loop, listener: Listener) -> None:
    """Clients that say nothing cannot keep a probe out."""
    silent = []
    for number in range(MAXIMUM_CONNECTIONS):
        loop.time = number / 100
        silent.append(_connect(listener))
        loop.turn()
    assert _ask(loop, listener, b"GET /livez HTTP/1.1\r\n\r\n").endswith(b"ok\n")
    assert silent[0].recv(1) == b""
    with pytest.raises(BlockingIOError):
        silent[-1].recv(1)
    for client in silent:
        client.close()


def test_who_has_an_answer_goes_before_who_waits_for_one(loop: Loop, listener: Listener) -> None:
    """A client that keeps its connection open after the answer has had what it came for."""
    waiting = [_connect(listener) for _ in range(MAXIMUM_CONNECTIONS - 1)]
    loop.turn()
    with _connect(listener) as answered, _connect(listener) as newcomer:
        answered.send(b"GET /livez HTTP/1.1\r\n\r\n")
        assert _everything(loop, answered).endswith(b"ok\n")
        newcomer.send(b"GET /livez HTTP/1.1\r\n\r\n")
        assert _everything(loop, newcomer).endswith(b"ok\n")
    for client in waiting:
        with pytest.raises(BlockingIOError):
            client.recv(1)
        client.close()


def test_a_request_that_lies_there_is_answered_before_its_connection_is_dropped(loop: Loop, listener: Listener) -> None:
    """A probe that comes in a flood is heard, though others came after it."""
    with _connect(listener) as probe:
        loop.turn()
        probe.send(b"GET /livez HTTP/1.1\r\n\r\n")
        flood = [_connect(listener) for _ in range(2 * MAXIMUM_CONNECTIONS)]
        assert _everything(loop, probe).endswith(b"ok\n")
        for client in flood:
            client.close()


def test_a_silent_client_is_dropped_when_the_next_one_comes(loop: Loop, listener: Listener) -> None:
    """Idle time is bounded without a timer that would wake the agent."""
    with _connect(listener) as silent:
        loop.turn()
        loop.time = IDLE_SECONDS
        assert _ask(loop, listener, b"GET /livez HTTP/1.1\r\n\r\n").endswith(b"ok\n")
        assert silent.recv(1) == b""


def _send_on_and_on(loop: Loop, client: socket.socket) -> None:
    for _ in range(1000):
        client.send(b"x" * 4096)
        loop.turn()


def test_a_client_that_never_stops_sending_is_dropped(loop: Loop, listener: Listener) -> None:
    """After the answer at most 64 KiB more are taken."""
    with _connect(listener) as client:
        client.send(b"x" * (MAXIMUM_BYTES + 1))
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            _send_on_and_on(loop, client)


@pytest.mark.parametrize(("host", "peer"), [("", "127.0.0.1"), ("", "::1"), ("::1", "::1"), ("localhost", "localhost")])
def test_ipv4_and_ipv6_are_served(loop: Loop, host: str, peer: str) -> None:
    """Without a host on both."""
    listener = Listener(Address(host, 0), PAGES, loop.add_reader, loop.remove_reader)
    with socket.create_connection((peer, listener.port), 5) as client:
        client.setblocking(False)
        client.send(b"GET /livez HTTP/1.1\r\n\r\n")
        assert _everything(loop, client).endswith(b"ok\n")
    listener.close()


@pytest.fixture
def crowded() -> Iterator[Callable[[], None]]:
    """From the call on the process is given no descriptor more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def crowd() -> None:
        gc.collect()  # what was forgotten gives no descriptor back later
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))

    yield crowd
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_client_for_whom_there_is_no_descriptor_is_turned_away(
    loop: Loop, listener: Listener, crowded: Callable[[], None]
) -> None:
    """Left to wait it would wake the loop without end; each one is."""
    with _connect(listener) as first, _connect(listener) as second:
        crowded()
        assert (loop.turn(), loop.turn(), loop.turn(0.01)) == (1, 1, 0)
        assert (first.recv(1), second.recv(1)) == (b"", b"")


def test_an_answer_that_cannot_be_waited_for_ends_its_connection_alone(
    loop: Loop, listener: Listener, crowded: Callable[[], None]
) -> None:
    """Whoever reads slowly takes a descriptor more, and there is none."""
    with _connect(listener) as slow:
        loop.turn()
        crowded()
        slow.send(b"GET /metrics HTTP/1.1\r\n\r\n")
        loop.turn()
        assert list(loop.selector.get_map()) == [listener._socket.fileno()]


def test_an_address_in_use_is_an_error_at_once(loop: Loop, listener: Listener) -> None:
    """The agent says so at its start."""
    with pytest.raises(OSError, match="Address already in use"):
        Listener(Address("127.0.0.1", listener.port), PAGES, loop.add_reader, loop.remove_reader)


def test_close_gives_every_descriptor_back(loop: Loop) -> None:
    """Nothing is watched any more, with clients in every state."""
    listener = Listener(Address("127.0.0.1", 0), PAGES, loop.add_reader, loop.remove_reader)
    with _connect(listener), _connect(listener) as slow:
        slow.send(b"GET /metrics HTTP/1.1\r\n\r\n")
        while len(loop.selector.get_map()) < 4:  # the listener, two clients, and one of them waiting to send
            assert loop.turn() > 0
        listener.close()
        assert len(loop.selector.get_map()) == 0


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_break_the_request_parser(data: bytes, cut: int) -> None:
    """Any bytes are a request, a fault, or not whole yet; what is wrong early stays wrong."""
    early, whole = parse_request(data[:cut]), parse_request(data)
    assert whole is None or isinstance(whole, (Request, Fault))
    if early is not None:
        assert whole == early
