"""Watches the bytes of an HTTP/2 connection (RFC 9113) and says at a frame's first nine bytes whether it may come.

h2 holds a frame until it is whole before it looks at its length (16 MiB each), keeps every setting that it is told, and
gathers a header block over many frames. Here each is bounded before any of it is kept. Bytes in, nothing out.
"""

PREFACE_BYTES = 24
"""`PRI * HTTP/2.0 ...`, which a client sends first; h2 compares it"""

FRAME_BYTES = 16384
"""SETTINGS_MAX_FRAME_SIZE as RFC 9113 sets it out, and as it is never raised here"""

HEADER_BLOCK_BYTES = 16384
"""of HEADERS and its CONTINUATIONs together; a gRPC call has some 200, its error message at most a few thousand"""

SETTINGS_BYTES = 1536
"""of all SETTINGS of a connection's life together, six a setting: Go's gRPC sends a dozen at most"""

_HEADERS, _SETTINGS, _PUSH_PROMISE, _CONTINUATION = 1, 4, 5, 9


class FrameError(ValueError):
    """A frame that no peer of good will sends; the peer is at fault."""


class FrameGate:
    """One direction of one connection. After a FrameError it is of no further use."""

    def __init__(self, *, preface: bool) -> None:
        """`preface`: the other end is a client, which sends one."""
        self._skip = PREFACE_BYTES if preface else 0
        self._head = b""
        self._block = 0
        self._settings = 0

    def watch(self, data: bytes) -> None:
        """The next bytes, cut anywhere. Raises FrameError."""
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            taken = data[at : at + 9 - len(self._head)]
            self._head += taken
            at += len(taken)
            if len(self._head) == 9:
                length, kind = int.from_bytes(self._head[:3], "big"), self._head[3]
                self._head = b""
                self._judge(length, kind)
                self._skip = length

    def _judge(self, length: int, kind: int) -> None:
        if length > FRAME_BYTES:
            raise FrameError(f"a frame of {length} bytes, expected {FRAME_BYTES} at most")
        if kind in (_HEADERS, _PUSH_PROMISE):
            self._block = length
        elif kind == _CONTINUATION:
            self._block += length
        elif kind == _SETTINGS:
            self._settings += length
        if self._block > HEADER_BLOCK_BYTES:
            raise FrameError(f"headers of more than {HEADER_BLOCK_BYTES} bytes")
        if self._settings > SETTINGS_BYTES:
            raise FrameError(f"more than {SETTINGS_BYTES // 6} settings")
