"""`HOST:PORT` of `--listen-address`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.agent.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":6255", Address("", 6255)),
        ("[::1]:80", Address("::1", 80)),
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
        ("node-1.example:65535", Address("node-1.example", 65535)),
    ],
)
def test_host_and_port_are_told_apart(text: str, address: Address) -> None:
    """Names, IPv4, IPv6 in brackets, and no host at all."""
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "6255", "::1:80", "[::1]", "[]:80", "[a]:80", ":", ":65536", ":-1", ":80 ", "a b:80", ":٣", "[::1:80"]
)
def test_anything_else_is_refused(text: str) -> None:
    """A port is ASCII digits up to 65535, an IPv6 address stands in brackets."""
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


@given(st.sampled_from(["", "::", "fe80::1", "10.0.0.1", "host"]), st.integers(0, 65535))
def test_an_address_reads_back_as_it_is_written(host: str, port: int) -> None:
    """`str` and `parse_address` are inverses."""
    assert parse_address(str(Address(host, port))) == Address(host, port)


@given(st.text(max_size=20))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text is an address whose port is in range, or is refused with what was expected."""
    try:
        port, refusal = parse_address(text).port, "HOST:PORT"
    except ValueError as error:
        port, refusal = 0, str(error)
    assert 0 <= port <= 65535
    assert refusal.startswith("HOST:PORT")
