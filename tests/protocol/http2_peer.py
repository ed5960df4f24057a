"""A peer on a unix socket that writes HTTP/2 frames by hand, well or badly (RFC 9113); headers are HPACK literals."""

import socket
import struct
from types import TracebackType

from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamReset, TrailersReceived

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
ACK, END_STREAM, END_HEADERS = 1, 1, 4
SECONDS = 60.0
"""Until a peer gives up"""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header field without indexing, both shorter than 127 bytes."""
    return b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def call_headers(method: str) -> bytes:
    """The header block of a gRPC call, of `v1beta1.DevicePlugin` where no service is named: `/service/method`."""
    return b"".join(
        literal(name, value)
        for name, value in (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", _path(method)),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        )
    )


def _path(method: str) -> str:
    return method if method.startswith("/") else f"/v1beta1.DevicePlugin/{method}"


def call(stream: int, method: str, message: bytes | None = b"") -> bytes:
    """The frames of a call with its message whole; None: the headers alone."""
    begin = frame(HEADERS, END_HEADERS, stream, call_headers(method))
    if message is None:
        return begin
    return begin + frame(DATA, END_STREAM, stream, struct.pack(">BI", 0, len(message)) + message)


class Peer:
    """One connection. `send` says whether the other end still took it."""

    def __init__(self, path: str, first: bytes = b"") -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        # A blocking connect waits where the backlog is full; with a timeout of Python's it would fail.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(SECONDS), 0))
        self.socket.connect(path)
        self.socket.settimeout(SECONDS)
        if first:
            self.send(first)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def send(self, data: bytes) -> bool:
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def fill(self, data: bytes, most: int) -> int:
        """Sends it again and again until the other end takes no more for half a second, or `most` bytes are sent."""
        sent = 0
        self.socket.settimeout(0.5)
        try:
            while sent < most:
                sent += self.socket.send(data)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass
        self.socket.settimeout(SECONDS)
        return sent

    def is_dropped(self) -> bool:
        """Reads to the end of the connection; TimeoutError where there is none."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True


class Answer:
    """What came back on a call that a well-behaved HTTP/2 made, which heeds flow control."""

    def __init__(self) -> None:
        self.status: str | None = None
        self.message = ""
        self.data = b""
        self.sent = 0


def ask(path: str, method: str, body: bytes) -> Answer:
    """One call with this body, its prefix included; sends no more than the other end gives credit for."""
    answer, left, over = Answer(), memoryview(body), False
    h2 = H2Connection()
    h2.initiate_connection()
    with Peer(path) as peer:
        names = {":method": "POST", ":scheme": "http", ":path": _path(method)}
        names |= {":authority": "localhost", "te": "trailers", "content-type": "application/grpc"}
        h2.send_headers(1, list(names.items()), end_stream=not body)
        while not over:
            while left and h2.local_flow_control_window(1) > 0:
                step = min(h2.local_flow_control_window(1), h2.max_outbound_frame_size, len(left))
                h2.send_data(1, bytes(left[:step]), end_stream=step == len(left))
                left = left[step:]
                answer.sent += step
            peer.send(h2.data_to_send())
            received = peer.socket.recv(65536)
            if not received:
                return answer
            for event in h2.receive_data(received):
                if isinstance(event, ResponseReceived | TrailersReceived):
                    headers = dict(event.headers)
                    answer.status = _text(headers.get(b"grpc-status")) or answer.status
                    answer.message = _text(headers.get(b"grpc-message")) or answer.message
                    over = answer.status is not None
                elif isinstance(event, DataReceived):
                    answer.data += event.data
                    h2.acknowledge_received_data(event.flow_controlled_length, 1)
                elif isinstance(event, StreamReset):
                    over = True
    return answer


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
