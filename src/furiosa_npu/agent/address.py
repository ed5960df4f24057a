"""`HOST:PORT`, as `--listen-address` takes it: text in, value out, no name is looked up here."""

from typing import NamedTuple


class Address(NamedTuple):
    """Where an agent listens."""

    host: str
    """a name or an address without brackets; empty: all addresses of the machine or pod, IPv4 and IPv6"""
    port: int
    """0-65535; 0 lets the kernel choose"""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


EXPECTED = "HOST:PORT with a port from 0 to 65535, e.g. :6255, 127.0.0.1:6255 or [::1]:6255"


def parse_address(text: str) -> Address:
    """`:6255`, `node.example:6255`, `0.0.0.0:0`, `[::1]:80`; an IPv6 address needs its brackets (RFC 3986, 3.2.2).

    Raises ValueError, whose text says what is expected.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]") and len(host) > 2:
        host = host[1:-1]
        well_formed = ":" in host and "[" not in host and "]" not in host
    else:
        well_formed = ":" not in host and "[" not in host and "]" not in host
    digits = port.isascii() and port.isdigit() and len(port) <= 5
    if not colon or not digits or not well_formed or any(character.isspace() for character in host):
        raise ValueError(EXPECTED)
    if int(port) > 65535:
        raise ValueError(EXPECTED)
    return Address(host, int(port))
