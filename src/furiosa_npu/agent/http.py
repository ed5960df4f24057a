"""/livez, /readyz and /metrics over HTTP, driven by any event loop that tells when a socket can be read.

    listener = Listener(address, {"/livez": lambda: (200, TEXT, "ok\\n")}, loop.add_reader, loop.remove_reader)

`socket` makes enumerations of its constants, 0.2 MiB in the labeller: the extension module below it is enough here.
It never blocks and holds little: connections, bytes and idle time are bounded. Time is looked at when
something happens, so that an agent in peace is not woken by it: a client that says nothing is dropped when the next
one comes and it has been silent for too long, or when there would be too many.
"""

import _socket
import errno
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from furiosa_npu.agent.address import Address
from furiosa_npu.agent.http_connection import Connection, Page
from furiosa_npu.agent.listening_socket import listening_socket

MAXIMUM_CONNECTIONS = 128
"""A kubelet has two probes open at once, a scraper one. The rest gives a probe that comes in a flood of others the time
to say what it wants: of ten thousand a second each stays for a hundredth."""

_ACCEPTED_AT_ONCE = 32
"""before those that are here are heard again"""

IDLE_SECONDS = 10.0
"""longer than any probe's timeoutSeconds that makes sense"""


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
        self._waiting: dict[int, Connection] = {}
        self._answered: dict[int, Connection] = {}
        """both in the order of their last news"""
        self._socket = listening_socket(address)
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

    def heard(self, connection: Connection) -> None:
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
                client = self._accepted()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE) and not self._drop_least():
                    self._turn_away()
                return  # no more, or gone again; the next event tries anew
            if len(self._waiting) + len(self._answered) >= MAXIMUM_CONNECTIONS:
                self._drop_least()
            Connection(self, client).readable()

    def _accepted(self) -> _socket.socket:
        """Raises OSError, BlockingIOError among them: nobody waits."""
        descriptor, _ = self._socket._accept()  # type: ignore[attr-defined]  # it is there, and not in the stubs
        return _socket.socket(fileno=descriptor)

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
            self._accepted().close()
        self._spare = _spare_descriptor()


def _spare_descriptor() -> int | None:
    """One to give away when there are no others; None: there are no others."""
    with suppress(OSError):
        return os.eventfd(0, os.EFD_CLOEXEC)
    return None
