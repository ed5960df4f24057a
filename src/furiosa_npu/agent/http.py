"""/livez, /readyz and /metrics over HTTP, driven by any event loop that tells when a socket can be read.

    listener = Listener(address, {"/livez": lambda: (200, TEXT, "ok\\n")}, loop.add_reader, loop.remove_reader)

It never blocks and holds little: connections, bytes and idle time are bounded. Time is looked at when
something happens, so that an agent in peace is not woken by it: a client that says nothing is dropped when the next
one comes and it has been silent for too long, or when there would be too many.
"""

import errno
import os
import select
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from furiosa_npu.agent.address import Address
from furiosa_npu.agent.http_request import Fault, parse_request, render_response

TEXT = "text/plain; charset=utf-8"

METRICS = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text exposition format"""

MAXIMUM_CONNECTIONS = 128
"""A kubelet has two probes open at once, a scraper one. The rest gives a probe that comes in a flood of others the time
to say what it wants: of ten thousand a second each stays for a hundredth."""

_BACKLOG = 4096
"""that wait in the kernel; one that finds no room there tries again after a second, as long as a probe waits"""

_ACCEPTED_AT_ONCE = 32
"""before those that are here are heard again"""

IDLE_SECONDS = 10.0
"""longer than any probe's timeoutSeconds that makes sense"""

_ACCEPTED_BYTES_AFTER_ANSWER = 65536

Page = Callable[[], tuple[int, str, str]]
"""status, content type, body text"""


class Listener:
    """Answers on `address` until closed. Raises OSError from the start where the address cannot be had."""

    def __init__(
        self,
        address: Address,
        pages: Mapping[str, Page],
        add_reader: Callable[[int, Callable[[], None]], object],
        remove_reader: Callable[[int], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pages = pages
        self.clock = clock
        self.add_reader = add_reader
        self.remove_reader = remove_reader
        self._waiting: dict[int, _Connection] = {}
        self._answered: dict[int, _Connection] = {}
        """both in the order of their last news"""
        self._socket = _listening_socket(address)
        self._spare = _spare_descriptor()
        add_reader(self._socket.fileno(), self._accept)

    @property
    def port(self) -> int:
        """The port in use, where 0 let the kernel choose."""
        port: int = self._socket.getsockname()[1]
        return port

    def close(self) -> None:
        """Stops listening and drops every client."""
        for connection in (*self._waiting.values(), *self._answered.values()):
            connection.close()
        self.remove_reader(self._socket.fileno())
        self._socket.close()
        if self._spare is not None:
            os.close(self._spare)

    def heard(self, connection: "_Connection") -> None:
        """A connection says that something happened on it."""
        self.forget(connection.number)
        (self._answered if connection.done else self._waiting)[connection.number] = connection

    def forget(self, number: int) -> None:
        """A connection says that it is closed."""
        self._waiting.pop(number, None)
        self._answered.pop(number, None)

    def _accept(self) -> None:
        self._drop_silent()
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                client, _ = self._socket.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE) and not self._drop_least():
                    self._turn_away()
                return  # no more, or gone again; the next event tries anew
            if len(self._waiting) + len(self._answered) >= MAXIMUM_CONNECTIONS:
                self._drop_least()
            _Connection(self, client).readable()

    def _drop_silent(self) -> None:
        now = self.clock()
        for connections in (self._waiting, self._answered):
            for connection in tuple(connections.values()):
                if now - connection.last < IDLE_SECONDS:
                    break
                connection.close()

    def _drop_least(self) -> bool:
        """One that has its answer, else the one that has been silent longest; False: there is none."""
        for connections in (self._answered, self._waiting):
            for victim in connections.values():
                victim.readable()  # its request may lie there, unread yet
                victim.close()
                return True
        return False

    def _turn_away(self) -> None:
        """A client for which there is no descriptor: left to wait it would wake the loop again and again."""
        if self._spare is not None:
            os.close(self._spare)
        with suppress(OSError):
            client, _ = self._socket.accept()
            client.close()
        self._spare = _spare_descriptor()


class _Connection:
    """One client: reads a request, writes an answer, is closed."""

    def __init__(self, listener: Listener, client: socket.socket) -> None:
        client.setblocking(False)
        self._listener = listener
        self._socket = client
        self._received = b""
        self._unsent = b""
        self._accepted_after_answer = 0
        self._answered = False
        self._writable: select.epoll | None = None
        self.number = client.fileno()
        self.last = listener.clock()
        listener.heard(self)
        listener.add_reader(self.number, self.readable)

    @property
    def done(self) -> bool:
        """The answer is sent; the client has not closed its side yet."""
        return self._answered and not self._unsent

    def close(self) -> None:
        """A second time does nothing."""
        if self._socket.fileno() < 0:
            return
        self._stop_waiting_to_send()
        self._listener.remove_reader(self.number)
        self._listener.forget(self.number)
        self._socket.close()

    def readable(self) -> None:
        try:
            data = self._socket.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        self._news()
        if not data:
            self.close()
        elif self._answered:
            self._accepted_after_answer += len(data)
            if self._accepted_after_answer > _ACCEPTED_BYTES_AFTER_ANSWER:
                self.close()
        else:
            self._received += data
            self._answer()

    def _answer(self) -> None:
        request = parse_request(self._received)
        if request is None:
            return
        self._answered = True
        self._received = b""
        if isinstance(request, Fault):
            self._unsent = render_response(request.status, TEXT, request.text + "\n")
        elif (page := self._listener.pages.get(request.path)) is None:
            body = f"expected one of {' '.join(self._listener.pages)}\n"
            self._unsent = render_response(404, TEXT, body, head_only=request.method == "HEAD")
        elif request.method not in ("GET", "HEAD"):
            self._unsent = render_response(405, TEXT, "expected GET or HEAD\n", allow="GET, HEAD")
        else:
            status, content_type, body = page()
            self._unsent = render_response(status, content_type, body, head_only=request.method == "HEAD")
        self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            # Half closed: the client reads the answer to its end even if it is still sending; its own close ends us.
            self._socket.shutdown(socket.SHUT_WR)
        except (BlockingIOError, InterruptedError):
            self._wait_to_send()
        except OSError:
            self.close()
        else:
            self._stop_waiting_to_send()
            self._news()

    def _news(self) -> None:
        self.last = self._listener.clock()
        self._listener.heard(self)

    def _wait_to_send(self) -> None:
        """An epoll that holds the socket is readable when the socket is writable: one callback serves for both."""
        self._news()
        if self._writable is None:
            try:
                self._writable = select.epoll(1)
            except OSError:  # no descriptor to be had
                self.close()
                return
            self._writable.register(self._socket, select.EPOLLOUT)
            self._listener.add_reader(self._writable.fileno(), self._send)

    def _stop_waiting_to_send(self) -> None:
        if self._writable is not None:
            self._listener.remove_reader(self._writable.fileno())
            self._writable.close()
            self._writable = None


def _spare_descriptor() -> int | None:
    """One to give away when there are no others; None: there are no others."""
    with suppress(OSError):
        return os.eventfd(0, os.EFD_CLOEXEC)
    return None


def _listening_socket(address: Address) -> socket.socket:
    if not address.host:
        try:
            return _bound(socket.AF_INET6, ("::", address.port))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise  # only a machine without IPv6 goes on with IPv4 alone
            return _bound(socket.AF_INET, ("", address.port))
    try:
        host = address.host.encode("ascii")  # bytes: of a text Python would load its tables for IDNA, 250 KiB
    except UnicodeEncodeError:
        raise OSError(errno.EINVAL, f"found '{address.host}', expected a name or an address in ASCII") from None
    found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, where = found[0]
    return _bound(family, where)


def _bound(family: int, where: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            every_family = where[0] == "::"
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if every_family else 1)
        listening.bind(where)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
