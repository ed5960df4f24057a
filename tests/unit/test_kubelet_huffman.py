"""HTTP/2's Huffman code, against the decoder that it stands in for."""

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman as decode_by_table
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.kubelet.huffman import decode_huffman

encode = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode


def outcome(decode: object, text: bytes) -> bytes | None:
    """None: refused."""
    assert callable(decode)
    try:
        decoded = decode(text)
    except HPACKDecodingError:
        return None
    assert isinstance(decoded, bytes)
    return decoded


@given(st.binary())
def test_what_was_encoded_is_decoded(text: bytes) -> None:
    """Whatever bytes a header holds."""
    assert decode_huffman(encode(text)) == text


@given(st.binary(max_size=12) | st.lists(st.sampled_from([0xFF, 0xFE, 0x7F, 0xF8, 0]), max_size=8).map(bytes))
def test_any_bytes_are_decoded_or_refused_as_by_hpack(text: bytes) -> None:
    """Padding of eight bits and more, or of zeros, and the end of the string are no strings."""
    assert outcome(decode_huffman, text) == outcome(decode_by_table, text)


@pytest.mark.parametrize("nothing", [None, b"", bytearray(), memoryview(b"")])
def test_nothing_is_the_empty_string(nothing: bytes | bytearray | memoryview | None) -> None:
    """As hpack takes it."""
    assert decode_huffman(nothing) == b""


def test_example_of_the_specification() -> None:
    """RFC 7541, C.4.1 and C.6.1."""
    assert decode_huffman(bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff")) == b"www.example.com"
    assert decode_huffman(memoryview(bytes.fromhex("d07abe941054d444a8200595040b8166e082a62d1bff"))) == (
        b"Mon, 21 Oct 2013 20:13:21 GMT"
    )
