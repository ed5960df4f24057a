"""HTTP/2's Huffman code read bit by bit (RFC 7541, section 5.2 and appendix B), in place of `hpack.huffman_table`.

That one's table of 4096 tuples takes 270 KiB from a peer's first compressed header on. A kubelet sends some hundred
such characters at its first call over a connection, and refers to them afterwards.
"""

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

_SYMBOLS = {
    1 << length | code: symbol
    for symbol, (code, length) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True))
}
"""by the bits of the code with a 1 before them, so that no zeros are lost"""
_END_OF_STRING = 256
_MAXIMUM_PADDING = 0xFF
"""a 1, and seven bits"""


def decode_huffman(huffman_string: bytes | bytearray | memoryview | None) -> bytes:
    """Raises HPACKDecodingError where it is no such string."""
    text = bytearray()
    bits = 1
    for byte in huffman_string or b"":
        for place in (7, 6, 5, 4, 3, 2, 1, 0):
            bits = bits << 1 | (byte >> place & 1)
            if (symbol := _SYMBOLS.get(bits)) is not None:
                if symbol == _END_OF_STRING:
                    raise HPACKDecodingError("Invalid Huffman String")
                text.append(symbol)
                bits = 1
    if bits > _MAXIMUM_PADDING or bits & (bits + 1):  # more than seven bits are left, or others than ones
        raise HPACKDecodingError("Invalid Huffman String")
    return bytes(text)
