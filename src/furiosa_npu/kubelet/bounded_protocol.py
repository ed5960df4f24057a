"""grpclib's HTTP/2 protocol with bounds: what a peer sends costs this process kilobytes, whatever it is.

| What a peer does | What happens |
|---|---|
| sends what is no HTTP/2, or frames, headers, settings beyond `frame_gate` | the connection is dropped |
| announces a message beyond `Limits.message_bytes` | RESOURCE_EXHAUSTED, before it is read |
| sends more than it has credit for, or opens more calls than `Limits.streams` | the connection is dropped (h2) |
| reads no answers | nothing more is read of it |

Written against grpclib 0.4.9 and h2 4.1 to 4.4, whose classes it derives from; no module of theirs is changed.
"""

from asyncio import BaseTransport, BufferedProtocol, Transport
from collections.abc import Callable
from functools import partial
from typing import Protocol, cast

from grpclib.metadata import decode_metadata
from grpclib.protocol import AbstractHandler, Connection, EventsProcessor, H2Protocol, Stream
from h2.events import RequestReceived, ResponseReceived, StreamReset, TrailersReceived, UnknownFrameReceived
from h2.exceptions import H2Error

from furiosa_npu.kubelet.bounded_connection import BoundedConnection, Limits
from furiosa_npu.kubelet.frame_gate import FrameError, FrameGate

READ_BYTES = 16384
"""at a time; what it makes h2 answer is sent, or found unsendable, before more is read"""


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
        self.connection = BoundedConnection(self._transport, self._limits, self.config, self.h2_config)
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
