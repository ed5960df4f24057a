"""One HTTP/2 connection with bounds (`bounded_protocol`), the calls on it, and what is written to its transport."""

import struct
from asyncio import AbstractEventLoop, Transport, get_running_loop
from functools import partial
from typing import Any, NamedTuple, cast

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.protocol import Connection, Stream
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings

from furiosa_npu.kubelet.frame_gate import HEADER_BLOCK_BYTES
from furiosa_npu.kubelet.message_buffer import MessageBuffer, MessageEndError

_ENCODER_TABLE_BYTES = 4096
"""of headers remembered for sending; the peer may ask for 4 GiB"""
_WINDOW_BEYOND_MESSAGE_BYTES = 16384
"""credit for a message's five bytes before it, for padding, and for a small message beside a large one"""


class Limits(NamedTuple):
    """What one connection may cost."""

    message_bytes: int
    """of one message of the peer; what is not read yet of all of a connection's is bounded by this and 16 KiB"""
    streams: int
    """calls that the peer may have open at once"""


class BoundedConnection(Connection):
    """Of which grpclib forgets the transport when it is closed: there may be none when a call is made, or it ends."""

    def __init__(self, transport: Transport, limits: Limits, config: Any, h2_config: H2Configuration) -> None:
        """Sends its settings."""
        window = limits.message_bytes + _WINDOW_BEYOND_MESSAGE_BYTES
        h2 = _H2Connection(config=h2_config)
        h2.local_settings = Settings(
            client=h2_config.client_side,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: limits.streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: h2.DEFAULT_MAX_HEADER_LIST_SIZE,
                SettingCodes.INITIAL_WINDOW_SIZE: window,
            },
        )
        h2.initiate_connection()
        h2.increment_flow_control_window(window - h2.inbound_flow_control_window)
        super().__init__(h2, cast(Transport, _Gathering(transport, get_running_loop())), config=config)
        self._limits = limits
        self.flush()
        self.initialize()

    def feed(self, data: bytes) -> list[Any]:
        events = super().feed(data)
        encoder = self._connection.encoder
        encoder.header_table_size = min(encoder.header_table_size, _ENCODER_TABLE_BYTES)
        return events

    def create_stream(self, *, stream_id: int | None = None, wrapper: Any = None) -> "_Stream":
        transport = getattr(self, "_transport", None)
        if transport is None:
            raise ConnectionResetError("connection lost")
        return _Stream(self, self._connection, transport, self._limits, stream_id, wrapper)

    def close(self) -> None:
        transport = getattr(self, "_transport", None)
        super().close()
        if transport is not None:
            transport.abort()  # a peer that does not read would hold the connection until it does


class _Stream(Stream):
    """One call. Its messages stand one after the other, each with five bytes before it."""

    def __init__(
        self,
        connection: Connection,
        h2: H2Connection,
        transport: Transport,
        limits: Limits,
        stream_id: int | None,
        wrapper: Any,
    ) -> None:
        super().__init__(connection, h2, transport, stream_id=stream_id, wrapper=wrapper)
        self._message_bytes = limits.message_bytes
        self._between_messages = True

    def init_stream(self, stream_id: int, connection: Connection) -> None:
        super().init_stream(stream_id, connection)
        self.buffer: Any = MessageBuffer(partial(connection.ack, stream_id))

    async def recv_data(self, size: int) -> bytes:
        """grpclib asks for five bytes, then for the message that they announce. Raises GRPCError."""
        try:
            data: bytes = await self.buffer.read(size)
        except MessageEndError as error:
            raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from error
        if self._between_messages and not data:
            return data  # no more messages: trailers follow, and say why
        if self._between_messages:
            compressed, length = struct.unpack(">BI", data)
            if compressed:
                raise GRPCError(Status.UNIMPLEMENTED, "found a compressed message, expected a plain one")
            if length > self._message_bytes:
                text = f"found a message of {length} bytes, expected {self._message_bytes} at most"
                raise GRPCError(Status.RESOURCE_EXHAUSTED, text)
        elif len(data) < size:
            raise GRPCError(Status.INVALID_ARGUMENT, f"the message ends before its {size} bytes")
        self._between_messages = not self._between_messages
        return data


class _Gathering:
    """A transport whose writes of one turn of the loop go out as one: an answer is three frames, and each would be a
    system call here and a wake-up there. They are out before more is read."""

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info
        self.abort = transport.abort

    def write(self, data: bytes) -> None:
        if data:
            if not self._gathered:
                self._loop.call_soon(self._send)
            self._gathered.append(data)

    def close(self) -> None:
        """What was written before is sent before."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._gathered:
            self._transport.write(b"".join(self._gathered))
            self._gathered.clear()


class _H2Connection(H2Connection):
    DEFAULT_MAX_HEADER_LIST_SIZE = HEADER_BLOCK_BYTES
    MAX_CLOSED_STREAMS = 256
    """whose ends are remembered, in place of 65536, for frames that were under way"""
