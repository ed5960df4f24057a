"""A gRPC server on a unix socket that knows whether the socket at its path is still its own.

The kubelet deletes every socket in the device plugins' folder when it starts, and another process may put its own
there; inode and ctime together tell (ext4 hands an inode out again).
"""

import os
from collections.abc import Collection
from typing import Any

from grpclib.server import Server

from furiosa_npu.kubelet.codec import WireCodec
from furiosa_npu.kubelet.wire import Schema


class UnixServer:
    """Serves `services` at `path` between `start` and `close`."""

    def __init__(self, path: str, services: Collection[Any], schema: Schema) -> None:
        self.path = path
        self._services = services
        self._schema = schema
        self._server: Server | None = None
        self._identity: tuple[int, int] | None = None

    async def start(self) -> None:
        """Binds the socket, in place of whatever socket is there. Raises OSError."""
        self._server = Server(self._services, codec=WireCodec(self._schema))
        await self._server.start(path=self.path)
        self._identity = identity(self.path)

    def is_at_its_path(self) -> bool:
        """The file at the path is the socket that this server made."""
        return self._identity is not None and identity(self.path) == self._identity

    async def close(self) -> None:
        """Ends streams and connections; removes the socket if it is still this server's."""
        if self._server is None:
            return
        if self.is_at_its_path():
            os.unlink(self.path)
        self._server.close()
        await self._server.wait_closed()
        self._server = self._identity = None


def identity(path: str) -> tuple[int, int] | None:
    """(inode, ctime in nanoseconds) of the file at `path`, None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns
