"""A gRPC server on a unix socket that knows whether the socket at its path is still its own.

The kubelet deletes every socket in the device plugins' folder when it starts, and another process may put its own
there; inode and ctime together tell (ext4 hands an inode out again).
"""

import asyncio
import os
from collections.abc import Callable, Collection
from typing import Any

from grpclib.protocol import H2Protocol
from grpclib.server import Server

from furiosa_npu.kubelet.bounded_connection import Limits
from furiosa_npu.kubelet.bounded_protocol import READ_BYTES, BoundedProtocol
from furiosa_npu.kubelet.calls import CountedServices
from furiosa_npu.kubelet.codec import WireCodec
from furiosa_npu.kubelet.crowd import Crowd
from furiosa_npu.kubelet.wire import Schema

LIMITS = Limits(message_bytes=131072, streams=16)
"""A kubelet's requests name devices, some forty bytes each, or one pod's claims. It asks for one allocation at a time,
and for each pod it prepares claims or starts a container at a time; a call beyond the streams waits on its side."""


class UnixServer:
    """Serves `services` at `path` between `start` and `close`."""

    def __init__(
        self,
        path: str,
        services: Collection[Any],
        schema: Schema,
        on_drop: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_drop` is told why a peer's connection was dropped."""
        self.path = path
        self._services = CountedServices(services)
        self._schema = schema
        self._crowd = Crowd(on_drop)
        self._server: Server | None = None
        self._identity: tuple[int, int] | None = None

    async def start(self) -> None:
        """Binds the socket, in place of whatever socket is there; also where it is cancelled. Raises OSError."""
        server = _Server([self._services], WireCodec(self._schema), self._crowd)
        starting = asyncio.ensure_future(server.start(path=self.path))
        try:
            await asyncio.shield(starting)
        finally:
            await starting  # what it bound is `close`'s to remove
            self._server, self._identity = server, identity(self.path)

    def is_at_its_path(self) -> bool:
        """The file at the path is the socket that this server made."""
        return self._identity is not None and identity(self.path) == self._identity

    async def answered(self, seconds: float) -> None:
        """Returns as soon as no call but streams is under way, after `seconds` at the latest."""
        await _set_within(seconds, self._services.answered)

    async def deserted(self, seconds: float) -> None:
        """Returns as soon as no peer is connected, after `seconds` at the latest."""
        await _set_within(seconds, self._crowd.deserted)

    async def close(self) -> None:
        """Ends calls, streams and connections; removes the socket if it is still this server's."""
        if self._server is None:
            return
        if self.is_at_its_path():
            os.unlink(self.path)
        self._server.close()
        self._crowd.close()
        await self._server.wait_closed()
        self._server = self._identity = None


class _Server(Server):
    """grpclib's, with bounded connections."""

    def __init__(self, services: Collection[Any], codec: WireCodec, crowd: Crowd) -> None:
        super().__init__(services, codec=codec)
        self._crowd = crowd
        self._buffer = bytearray(READ_BYTES)

    def _protocol_factory(self) -> H2Protocol:
        return BoundedProtocol(super()._protocol_factory(), LIMITS, self._buffer, self._crowd)


def identity(path: str) -> tuple[int, int] | None:
    """(inode, ctime in nanoseconds) of the file at `path`, None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


async def _set_within(seconds: float, event: asyncio.Event) -> None:
    """Also in a task that is at its end since it was cancelled, where asyncio.timeout of Python 3.11.2 does not end."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([waiting], timeout=seconds)
    finally:
        waiting.cancel()
