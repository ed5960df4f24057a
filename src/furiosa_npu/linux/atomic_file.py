"""A file replaced in one step: written beside, under a name of its own, and renamed, by several processes if need be.

A process that is killed meanwhile leaves what it had begun. As long as it lives it holds a lock (flock(2)) on that, by
which others tell.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

_BEGUN = re.compile(r"\.(.+)\.[0-9a-f]+\.new", re.ASCII | re.DOTALL)


@contextmanager
def replacing(path: str, mode: int) -> Iterator[BinaryIO]:
    """Yields the file that takes the place of `path` at the block's end, on the disk then. Raises OSError.

    Where that or the block raises, `path` is as it was, and nothing lies beside it.
    """
    beside, file = _begin(path)
    with file, _removed_where_it_fails(beside):
        yield file
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
        os.rename(beside, path)


def begun(name: str) -> str | None:
    """The name of the file that somebody began to write under this one; None: it is no such name."""
    match = _BEGUN.fullmatch(name)
    return None if match is None else match[1]


def remove_begun(path: str) -> None:
    """Removes what writers of `path` that died had begun, as far as that can be removed."""
    folder, name = os.path.split(path)
    with suppress(OSError):
        for found in os.listdir(folder or "."):
            if begun(found) == name:
                _remove_unlocked(os.path.join(folder, found))


def _begin(path: str) -> tuple[str, BinaryIO]:
    """Beside, and locked."""
    folder, name = os.path.split(path)
    while True:
        beside = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.new")
        file = open(beside, "xb", opener=_for_its_user_alone)  # noqa: SIM115  # the caller closes it
        with _removed_where_it_fails(beside):
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return beside, file
        file.close()  # somebody took it for a dead writer's before it was locked


def _remove_unlocked(path: str) -> None:
    with suppress(OSError), open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)


@contextmanager
def _removed_where_it_fails(path: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise


def _for_its_user_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
