"""The bytes of one gRPC call's messages between the socket and their reader, in place of grpclib's own buffer.

grpclib keeps an object a DATA frame, also for empty ones, which HTTP/2's flow control does not count: a peer fills the
memory with frames of one byte or none. It also gives the peer new credit before a message is whole, so that a message
is bounded by nothing. Here bytes are kept as bytes, and credit is given for what was read alone.
"""

import asyncio
from collections.abc import Callable


class MessageEndError(ValueError):
    """The peer ended its side inside a message."""


class MessageBuffer:
    """What came on one stream. Flow control bounds it: the peer gets credit (`acknowledge`) for whole reads alone."""

    def __init__(self, acknowledge: Callable[[int], None]) -> None:
        self._acknowledge = acknowledge
        self._data = bytearray()
        self._uncredited = 0
        self._ended = False
        self._news = asyncio.Event()

    def add(self, data: bytes, flow_controlled_bytes: int) -> None:
        """`flow_controlled_bytes`: of the data and its padding."""
        self._data += data
        self._uncredited += flow_controlled_bytes
        if data:
            self._news.set()

    def eof(self) -> None:
        self._ended = True
        self._news.set()

    async def read(self, size: int) -> bytes:
        """So many bytes; none where the peer had ended before the first. Raises MessageEndError."""
        while len(self._data) < size and not self._ended:
            self._news.clear()
            await self._news.wait()
        if len(self._data) < size:
            if self._data:
                raise MessageEndError(f"the message ends after {len(self._data)} of {size} bytes")
            return b""
        read = bytes(memoryview(self._data)[:size])
        del self._data[:size]
        # All but what waits to be read. Were that waited for, a stream of messages could use up the credit that the
        # one under way needs to become whole.
        credit = self._uncredited - len(self._data)
        self._uncredited = len(self._data)
        self._acknowledge(credit)
        return read

    def unacked_size(self) -> int:
        """What the peer has no credit for yet; asked once more when the stream is over."""
        uncredited, self._uncredited = self._uncredited, 0
        return uncredited
