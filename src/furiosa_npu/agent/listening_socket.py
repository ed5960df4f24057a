"""The socket that an agent's HTTP pages are served on."""

import _socket
import errno

from furiosa_npu.agent.address import Address

BACKLOG = 4096
"""that wait in the kernel; one that finds no room there tries again after a second, as long as a probe waits"""


def listening_socket(address: Address) -> _socket.socket:
    """Bound and not blocking; of every family where no host is named. Raises OSError, which names option and address,
    where it cannot be had."""
    try:
        return _listening(address)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), f"--listen-address {address}") from error


def _listening(address: Address) -> _socket.socket:
    if not address.host:
        try:
            return _bound(_socket.AF_INET6, ("::", address.port))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise  # only a machine without IPv6 goes on with IPv4 alone
            return _bound(_socket.AF_INET, ("", address.port))
    try:
        host = address.host.encode("ascii")  # bytes: of a text Python would load its tables for IDNA, 250 KiB
    except UnicodeEncodeError:
        raise OSError(errno.EINVAL, f"found '{address.host}', expected a name or an address in ASCII") from None
    found = _socket.getaddrinfo(host, address.port, type=_socket.SOCK_STREAM, flags=_socket.AI_PASSIVE)
    family, _, _, _, where = found[0]
    return _bound(family, where)


def _bound(family: int, where: tuple[object, ...]) -> _socket.socket:
    listening = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        listening.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        if family == _socket.AF_INET6:
            every_family = where[0] == "::"
            listening.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 0 if every_family else 1)
        listening.bind(where)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
