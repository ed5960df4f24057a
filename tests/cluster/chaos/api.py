"""The API server over HTTPS, from within its network: a request a connection, each with a deadline."""

import ctypes
import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.cluster.cluster import Cluster
from tests.cluster.network import API_PORT, CONTROL_PLANE

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_CANNOT = (429, 500, 503, 504)
"""of a server that starts, or has too much to do"""


class ApiAway(Exception):
    """No answer: the server is away, does not answer in time, or says that it cannot yet."""


class ApiRefused(Exception):
    """The server answered with another status than 2xx, and not that it cannot."""

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        super().__init__(f"{method} {path}: {status} {body[:300]}")
        self.status = status


class Api:
    """Requests as the cluster's administrator."""

    def __init__(self, cluster: Cluster, timeout_seconds: float = 3.0) -> None:
        certificates = cluster.run.folder / "certificates"
        self._context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        self._context.load_cert_chain(certificates / "admin.crt", certificates / "admin.key")
        self._host = cluster.control_plane.host.pid
        self._timeout = timeout_seconds

    def request(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON. Raises ApiAway, ApiRefused."""
        connection = http.client.HTTPSConnection(CONTROL_PLANE, API_PORT, context=self._context)
        try:
            with _network_of(self._host):  # a socket stays in the network that it was made in
                plain = socket.create_connection((CONTROL_PLANE, API_PORT), self._timeout)
            connection.sock = self._context.wrap_socket(plain, server_hostname=CONTROL_PLANE)
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise ApiAway(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()
        if answer.status in _CANNOT:
            raise ApiAway(f"{method} {path}: {answer.status} {text[:300]}")
        if not 200 <= answer.status < 300:
            raise ApiRefused(method, path, answer.status, text)
        return json.loads(text)


def answered(look: Callable[[], T]) -> Callable[[], T | None]:
    """The look for who waits: None while the API server does not answer."""

    def looked() -> T | None:
        try:
            return look()
        except ApiAway:
            return None

    return looked


@contextmanager
def _network_of(pid: int) -> Iterator[None]:
    """This thread is on that process' network (setns(2)), the others stay where they are."""
    own, other = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        _set_network(other)
        try:
            yield
        finally:
            _set_network(own)
    finally:
        os.close(own)
        os.close(other)


def _set_network(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")
