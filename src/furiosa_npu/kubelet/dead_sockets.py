"""Sockets of processes that ended without removing them: nobody answers on them any more."""

import errno
import os
import socket
from contextlib import suppress


def remove_dead(folder: str, prefix: str, suffix: str) -> tuple[str, ...]:
    """Removes those among the folder's files with such names; their paths. Living ones are not disturbed.

    One that was taken in the moment between its making and its first answer is for its maker to make again.
    """
    removed = []
    with suppress(OSError):
        for name in sorted(os.listdir(folder)):
            path = f"{folder}/{name}"
            if name.startswith(prefix) and name.endswith(suffix) and is_dead(path):
                os.unlink(path)
                removed.append(path)
    return tuple(removed)


def is_dead(path: str) -> bool:
    """Its listener is gone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as peer:
        return peer.connect_ex(path) == errno.ECONNREFUSED
