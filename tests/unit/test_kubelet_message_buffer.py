"""The bytes of a call between socket and reader: the same however they come, and credit for what was read alone."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.kubelet.message_buffer import MessageBuffer, MessageEndError

HEAD = 5
"""bytes before each message of gRPC"""

Piece = tuple[bytes, int]
"""What one DATA frame brings: its data, and how many bytes of padding beside it."""


class Stream:
    """A buffer and the credit that its peer was given."""

    def __init__(self) -> None:
        self.credited = 0
        self.buffer = MessageBuffer(self._acknowledge)

    def _acknowledge(self, count: int) -> None:
        self.credited += count

    def add(self, piece: Piece) -> None:
        data, padding = piece
        self.buffer.add(data, len(data) + padding)


async def _all(stream: Stream, sizes: Sequence[int]) -> list[bytes | str]:
    """Each read's bytes; of one that fails the words."""
    got: list[bytes | str] = []
    for size in sizes:
        try:
            got.append(await stream.buffer.read(size))
        except MessageEndError as error:
            got.append(str(error))
    return got


def _expected(data: bytes, sizes: Sequence[int]) -> list[bytes | str]:
    got: list[bytes | str] = []
    for size in sizes:
        if len(data) >= size:
            got.append(data[:size])
            data = data[size:]
        else:
            got.append(f"the message ends after {len(data)} of {size} bytes" if data else b"")
    return got


PIECES = st.lists(st.tuples(st.binary(max_size=6), st.integers(0, 4)), max_size=10)


@given(pieces=PIECES, sizes=st.lists(st.integers(1, 12), max_size=8), early=st.booleans())
def test_reads_tell_the_same_however_the_bytes_are_cut(pieces: list[Piece], sizes: list[int], early: bool) -> None:
    """Empty frames and padding among them, whether the reader waits for the bytes or the bytes for the reader."""

    async def main() -> None:
        stream = Stream()
        reading = asyncio.create_task(_all(stream, sizes))
        for piece in pieces:
            if early:
                await asyncio.sleep(0)
            stream.add(piece)
        stream.buffer.eof()
        assert await reading == _expected(b"".join(data for data, _ in pieces), sizes)

    asyncio.run(main())


@given(pieces=PIECES, sizes=st.lists(st.integers(1, 12), max_size=8))
def test_credit_is_given_once_and_never_for_what_was_not_read(pieces: list[Piece], sizes: list[int]) -> None:
    """Data is credited after its read, padding at the latest when the stream is over: in all, each byte once."""

    async def main() -> None:
        stream = Stream()
        sent = unread = 0
        for data, padding in pieces:
            stream.add((data, padding))
            sent += len(data) + padding
        stream.buffer.eof()
        unread = sum(len(data) for data, _ in pieces)
        for size in sizes:
            for got in await _all(stream, [size]):
                unread -= len(got) if isinstance(got, bytes) else 0
            assert stream.credited <= sent - unread
        assert stream.credited + stream.buffer.unacked_size() == sent
        assert stream.buffer.unacked_size() == 0

    asyncio.run(main())


@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=6), cuts=st.lists(st.integers(1, 30), min_size=1))
def test_messages_within_the_bound_all_come_through(lengths: list[int], cuts: list[int]) -> None:
    """A peer that sends as far as its credit reaches is never left without, whatever messages are read already."""

    async def main() -> None:
        stream = Stream()
        window = HEAD + 40
        data = b"".join(bytes([length]) * (HEAD + length) for length in lengths)
        sizes = [size for length in lengths for size in (HEAD, length)]
        reading = asyncio.create_task(_all(stream, sizes))
        sent, turn = 0, 0
        while sent < len(data):
            room = min(cuts[turn % len(cuts)], window - (sent - stream.credited))
            assert room > 0, f"{sent} of {len(data)} bytes were sent, and no credit is left"
            stream.add((data[sent : sent + room], 0))
            sent, turn = sent + room, turn + 1
            for _ in range(4):
                await asyncio.sleep(0)  # the reader takes what is whole
        assert await reading == _expected(data, sizes)

    asyncio.run(main())


def test_no_credit_is_given_for_a_message_that_is_not_whole() -> None:
    """So that flow control bounds it; its five bytes before count as read."""

    async def main() -> None:
        stream = Stream()
        reading = asyncio.create_task(_all(stream, [5, 10]))
        stream.add((b"h" * 5 + b"m" * 9, 0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (reading.done(), stream.credited) == (False, 5)
        stream.add((b"m", 3))
        assert await reading == [b"h" * 5, b"m" * 10]
        assert stream.credited == 5 + 10 + 3

    asyncio.run(main())


@pytest.mark.parametrize(("sent", "words"), [(b"", None), (b"abc", "the message ends after 3 of 5 bytes")])
def test_an_end_between_messages_is_none_and_one_inside_is_an_error(sent: bytes, words: str | None) -> None:
    """Whoever reads on gets the same answer."""

    async def main() -> None:
        stream = Stream()
        stream.add((sent, 0))
        stream.buffer.eof()
        assert await _all(stream, [5, 5]) == ([b"", b""] if words is None else [words, words])

    asyncio.run(main())
