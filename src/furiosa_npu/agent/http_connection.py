"""One client of an agent's HTTP pages: what it asks, what it is told, and how long it may take."""

import _socket
import select
from collections.abc import Callable, Mapping
from typing import Protocol

from furiosa_npu.agent.http_request import TEXT, Fault, parse_request, render_response

_ACCEPTED_BYTES_AFTER_ANSWER = 65536

Page = Callable[[], tuple[int, str, str]]
"""status, content type, body text"""


class Server(Protocol):
    """What a connection needs of whoever accepted it."""

    pages: Mapping[str, Page]
    clock: Callable[[], float]
    add_reader: Callable[[int, Callable[[], None]], object]
    remove_reader: Callable[[int], object]

    def heard(self, connection: "Connection") -> None:
        """Something happened on it."""

    def forget(self, number: int) -> None:
        """It is closed."""


class Connection:
    """One client: reads a request, writes an answer, is closed."""

    def __init__(self, server: Server, client: _socket.socket) -> None:
        client.setblocking(False)
        self._server = server
        self._socket = client
        self._received = b""
        self._unsent = b""
        self._accepted_after_answer = 0
        self._answered = False
        self._writable: select.epoll | None = None
        self.number = client.fileno()
        self.last = server.clock()
        server.heard(self)
        server.add_reader(self.number, self.readable)

    @property
    def done(self) -> bool:
        """The answer is sent; the client has not closed its side yet."""
        return self._answered and not self._unsent

    def close(self) -> None:
        """A second time does nothing."""
        if self._socket.fileno() < 0:
            return
        self._stop_waiting_to_send()
        self._server.remove_reader(self.number)
        self._server.forget(self.number)
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
        elif (page := self._server.pages.get(request.path)) is None:
            body = f"expected one of {' '.join(self._server.pages)}\n"
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
            self._socket.shutdown(_socket.SHUT_WR)
        except (BlockingIOError, InterruptedError):
            self._wait_to_send()
        except OSError:
            self.close()
        else:
            self._stop_waiting_to_send()
            self._news()

    def _news(self) -> None:
        self.last = self._server.clock()
        self._server.heard(self)

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
            self._server.add_reader(self._writable.fileno(), self._send)

    def _stop_waiting_to_send(self) -> None:
        if self._writable is not None:
            self._server.remove_reader(self._writable.fileno())
            self._writable.close()
            self._writable = None
