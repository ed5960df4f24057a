"""The gate before HTTP/2: judged by frames, whatever pieces the bytes come in, and each bound where it is said."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.kubelet.frame_gate import (
    FRAME_BYTES,
    HEADER_BLOCK_BYTES,
    PREFACE_BYTES,
    SETTINGS_BYTES,
    FrameError,
    FrameGate,
)

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, CONTINUATION, UNKNOWN = 0, 1, 3, 4, 5, 9, 200
TOO_LONG_HEADERS = "headers of more than 16384 bytes"
TOO_MANY_SETTINGS = "more than 256 settings"

Frame = tuple[int, int]
"""kind and length of what follows its first nine bytes"""


def _bytes(frames: Sequence[Frame]) -> bytes:
    return b"".join(
        length.to_bytes(3, "big") + struct.pack(">BBI", kind, 0, 1) + b"\xff" * min(length, FRAME_BYTES)
        for kind, length in frames
    )


def _verdict(pieces: Sequence[bytes], *, preface: bool) -> str | None:
    """The words of the refusal, or None."""
    gate = FrameGate(preface=preface)
    for piece in pieces:
        try:
            gate.watch(piece)
        except FrameError as error:
            return str(error)
    return None


def _cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def _expected(frames: Sequence[Frame]) -> str | None:
    """The rules as RFC 9113's reader would apply them by hand: the first frame that breaks one."""
    block = settings = 0
    for kind, length in frames:
        if length > FRAME_BYTES:
            return f"a frame of {length} bytes, expected {FRAME_BYTES} at most"
        block = length if kind in (HEADERS, PUSH_PROMISE) else block + length if kind == CONTINUATION else block
        settings += length if kind == SETTINGS else 0
        if block > HEADER_BLOCK_BYTES:
            return TOO_LONG_HEADERS
        if settings > SETTINGS_BYTES:
            return TOO_MANY_SETTINGS
    return None


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, CONTINUATION, UNKNOWN]),
        st.integers(0, 40)
        | st.sampled_from([600, SETTINGS_BYTES, 8192, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 0xFFFFFF]),
    ),
    max_size=8,
)
PLACES = st.lists(st.integers(0, 200_000), max_size=12)


@given(frames=FRAMES, places=PLACES, preface=st.booleans())
def test_frames_are_judged_alike_however_their_bytes_are_cut(
    frames: list[Frame], places: list[int], preface: bool
) -> None:
    """Whole or in pieces, with a client's preface or without, the first frame that breaks a rule is the one named."""
    data = b"P" * (PREFACE_BYTES if preface else 0) + _bytes(frames)
    assert _verdict([data], preface=preface) == _expected(frames)
    assert _verdict(_cut(data, places), preface=preface) == _expected(frames)


@given(data=st.binary(max_size=300), places=PLACES, preface=st.booleans())
def test_any_bytes_are_judged_alike_however_they_are_cut(data: bytes, places: list[int], preface: bool) -> None:
    """Of rubbish too, and one byte at a time; nothing but a FrameError is raised."""
    whole = _verdict([data], preface=preface)
    assert _verdict(_cut(data, places), preface=preface) == whole
    assert _verdict([data[at : at + 1] for at in range(len(data))], preface=preface) == whole


@pytest.mark.parametrize(
    ("within", "beyond", "words"),
    [
        ([(DATA, 16384)], [(DATA, 16385)], "a frame of 16385 bytes, expected 16384 at most"),
        ([(UNKNOWN, 16384)], [(UNKNOWN, 0xFFFFFF)], "a frame of 16777215 bytes, expected 16384 at most"),
        ([(HEADERS, 1), (CONTINUATION, 16383)], [(HEADERS, 1), (CONTINUATION, 16384)], TOO_LONG_HEADERS),
        ([(PUSH_PROMISE, 16384)], [(PUSH_PROMISE, 16384), (CONTINUATION, 1)], TOO_LONG_HEADERS),
        ([(HEADERS, 16384), (HEADERS, 16384)], [(HEADERS, 16384), (DATA, 0), (CONTINUATION, 1)], TOO_LONG_HEADERS),
        ([(SETTINGS, 6)] * 256, [(SETTINGS, 6)] * 257, TOO_MANY_SETTINGS),
        ([(SETTINGS, 1536), (SETTINGS, 0)], [(SETTINGS, 1536), (DATA, 9), (SETTINGS, 6)], TOO_MANY_SETTINGS),
    ],
)
def test_the_last_that_may_come_and_the_first_that_may_not(
    within: list[Frame], beyond: list[Frame], words: str
) -> None:
    """A frame, a header block over its frames, the settings of a connection's life: each bound, with its words."""
    assert (_verdict([_bytes(within)], preface=False), _verdict([_bytes(beyond)], preface=False)) == (None, words)


def test_a_frame_is_refused_at_its_first_nine_bytes() -> None:
    """Before any of its payload has come; eight of them say nothing yet."""
    head = _bytes([(DATA, 16385)])[:9]
    gate = FrameGate(preface=False)
    gate.watch(head[:8])
    with pytest.raises(FrameError, match="a frame of 16385 bytes"):
        gate.watch(head[8:])


def test_a_preface_is_left_to_h2() -> None:
    """Its 24 bytes may be any; the 25th begins a frame."""
    assert _verdict([b"\xff" * PREFACE_BYTES], preface=True) is None
    assert (
        _verdict([b"\xff" * (PREFACE_BYTES + 9)], preface=True) == "a frame of 16777215 bytes, expected 16384 at most"
    )
