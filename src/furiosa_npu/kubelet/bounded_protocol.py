"""grpclib's HTTP/2 protocol with bounds: what a peer sends costs this process kilobytes, whatever it is.

| What a peer does | What happens |
|---|---|
| sends what is no HTTP/2, or frames, headers, settings beyond `frame_gate` | the connection is dropped |
| announces a message beyond `Limits.message_bytes` | RESOURCE_EXHAUSTED, before it is read |
| sends more than it has credit for, or opens more calls than `Limits.streams` | the connection is dropped (h2) |
| reads no answers | nothing more is read of it |

Written against grpclib 0.4.9 and h2 4.1 to 4.4, whose classes it derives from; no module of theirs is changed.
"""

import struct
from asyncio import AbstractEventLoop, BaseTransport, BufferedProtocol, Transport, get_running_loop
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, cast

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.metadata import decode_metadata
from grpclib.protocol import AbstractHandler, Connection, EventsProcessor, H2Protocol, Stream
from h2.connection import H2Connection
from h2.events import RequestReceived, ResponseReceived, StreamReset, TrailersReceived, UnknownFrameReceived
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from furiosa_npu.kubelet.frame_gate import HEADER_BLOCK_BYTES, FrameError, FrameGate
from furiosa_npu.kubelet.message_buffer import MessageBuffer, MessageEndError

READ_BYTES = 16384
"""at a time; what it makes h2 answer is sent, or found unsendable, before more is read"""

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


class Company(Protocol):
    """The other connections of a server, as one of them sees them."""

    def enter(self, newcomer: "BoundedProtocol") -> bool:
        """False: there is no room."""
        ...

    def heard(self, member: "BoundedProtocol") -> None: ...

    def leave(self, member: "BoundedProtocol", fault: str) -> None:
        """`fault`: why this side ended it, "" where the peer did."""
        ...


class BoundedProtocol(H2Protocol, BufferedProtocol):
    """One connection, made anew from the one that grpclib makes."""

    def __init__(self, made: H2Protocol, limits: Limits, buffer: bytearray, company: Company | None = None) -> None:
        """`buffer`, of READ_BYTES, is shared by connections of one loop; a client has no company."""
        super().__init__(made.handler, made.config, made.h2_config)
        self._limits = limits
        self._buffer = memoryview(buffer)
        self._company = company
        self._gate = FrameGate(preface=not made.h2_config.client_side)
        self._reads = True
        self._begun = False
        self._fault = ""

    @property
    def has_called(self) -> bool:
        """It speaks gRPC: it made a call."""
        return self._begun and self.connection.streams_started > 0

    @property
    def is_served(self) -> bool:
        """A call is open, messages were sent, and the peer reads them."""
        return self.has_called and bool(self.processor.streams) and self.connection.messages_sent > 0 and self._reads

    def connection_made(self, transport: BaseTransport) -> None:
        self._transport = cast(Transport, transport)
        if self._company is None:
            self._begin()
        elif not self._company.enter(self):
            self.drop("no room")

    def _begin(self) -> None:
        """A server does so at the first byte: a connection that says nothing costs next to nothing."""
        self._begun = True
        window = self._limits.message_bytes + _WINDOW_BEYOND_MESSAGE_BYTES
        h2 = _H2Connection(config=self.h2_config)
        h2.local_settings = Settings(
            client=self.h2_config.client_side,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: self._limits.streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: h2.DEFAULT_MAX_HEADER_LIST_SIZE,
                SettingCodes.INITIAL_WINDOW_SIZE: window,
            },
        )
        h2.initiate_connection()
        h2.increment_flow_control_window(window - h2.inbound_flow_control_window)
        gathering = cast(Transport, _Gathering(self._transport, get_running_loop()))
        self.connection = _Connection(h2, gathering, self._limits, self.config)
        self.connection.flush()
        self.connection.initialize()
        self.processor = _Processor(self.handler, self.connection)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        self.data_received(bytes(self._buffer[:count]))

    def data_received(self, data: bytes) -> None:
        if self._company is not None:
            self._company.heard(self)
        if not self._begun:
            self._begin()
        try:
            self._gate.watch(data)
            events = self.connection.feed(data)
            self.connection.flush()
            for event in events:
                if isinstance(event, UnknownFrameReceived):
                    continue  # RFC 9113, 5.5: extensions are ignored
                if isinstance(event, RequestReceived | ResponseReceived | TrailersReceived):
                    _check_headers(event)
                self.processor.process(event)
            self.connection.flush()
        except (H2Error, FrameError, NotImplementedError) as error:
            self.drop(f"the peer sent what is no gRPC: {error!s:.200}")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reads = False
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reads = True
        self._transport.resume_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._company is not None:
            self._company.leave(self, self._fault)
        if self._begun:
            self.processor.close(self._fault or "Connection lost")
        else:
            self.handler.close()

    def drop(self, reason: str) -> None:
        """Ends calls and connection now; what is not sent is not sent any more."""
        self._fault = reason
        if self._begun:
            self.processor.close(reason)
        else:
            self._transport.abort()


class _Processor(EventsProcessor):
    """grpclib's handler of a call releases its stream, unless it is cancelled before it ran: then the reset does."""

    def __init__(self, handler: AbstractHandler, connection: Connection) -> None:
        super().__init__(handler, connection)
        self._releases: dict[int, Callable[[], None]] = {}

    def register(self, stream: Stream) -> Callable[[], None]:
        number = cast(int, stream.id)
        self._releases[number] = super().register(stream)
        return partial(self._release, number)

    def process_stream_reset(self, event: StreamReset) -> None:
        super().process_stream_reset(event)
        self._release(event.stream_id)

    def _release(self, number: int) -> None:
        release = self._releases.pop(number, None)
        if release is not None:
            release()


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


class _Connection(Connection):
    """Of which grpclib forgets the transport when it is closed: there may be none when a call is made, or it ends."""

    def __init__(self, h2: H2Connection, transport: Transport, limits: Limits, config: Any) -> None:
        super().__init__(h2, transport, config=config)
        self._limits = limits

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


class _H2Connection(H2Connection):
    DEFAULT_MAX_HEADER_LIST_SIZE = HEADER_BLOCK_BYTES
    MAX_CLOSED_STREAMS = 256
    """whose ends are remembered, in place of 65536, for frames that were under way"""


def _check_headers(event: RequestReceived | ResponseReceived | TrailersReceived) -> None:
    """What grpclib takes for granted. Raises FrameError."""
    expected: tuple[str, ...] = ()
    if isinstance(event, RequestReceived):
        expected = (":method", ":path")
    elif isinstance(event, ResponseReceived):
        expected = (":status",)
    headers = cast("list[tuple[str, str]]", event.headers)
    names = {name for name, _ in headers}
    for name in expected:
        if name not in names:
            raise FrameError(f"headers without {name}")
    try:
        decode_metadata(headers)
    except ValueError as error:
        raise FrameError(f"a binary header that is no base64 ({error})") from error
