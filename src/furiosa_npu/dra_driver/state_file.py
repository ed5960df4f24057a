"""`prepared.json` in the driver's folder: what is prepared, shared by all instances of the driver on this node.

It is read, changed and replaced under a `flock` of `prepared.lock` beside it, and never remembered: during a rolling
update two instances change it in turn. A driver that dies gives the lock back, and leaves the file as it was or whole.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from furiosa_npu.dra_driver.fields import FieldError
from furiosa_npu.dra_driver.prepared import State
from furiosa_npu.dra_driver.prepared_document import NewerVersion, from_text, to_text

FILE_NAME = "prepared.json"
LOCK_NAME = "prepared.lock"
MAXIMUM_BYTES = 4 << 20
"""A claim of sixteen whole cards takes about 32 KiB."""


class StateError(Exception):
    """The file cannot be used; the message names it, what was found, what was expected, and what to do."""


class StateLost(StateError):
    """Nobody can say what was prepared: the file is damaged. What is prepared is made out anew from the API server."""


class LockedState:
    """The file, for as long as the lock is held."""

    def __init__(self, path: str) -> None:
        self.path = path

    def exists(self) -> bool:
        """Whether there is a file, be it damaged."""
        return os.path.lexists(self.path)

    def read(self) -> State | None:
        """What is prepared; None: there is no such file. Raises StateError, StateLost where the file is damaged."""
        try:
            with open(self.path, "rb") as file:
                content = file.read(MAXIMUM_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"{self.path}: {error.strerror}: what is prepared cannot be read") from error
        try:
            if len(content) > MAXIMUM_BYTES:
                raise FieldError(f"found more than {MAXIMUM_BYTES} bytes, expected fewer")
            return from_text(content.decode())
        except NewerVersion as error:
            raise StateError(
                f"{self.path}: {error}: a newer driver wrote it; run that one, or drain the node and remove the file"
            ) from error
        except ValueError as error:
            raise StateLost(f"{self.path}: {error}: nothing is prepared until it was made out anew") from error

    def write(self, state: State) -> None:
        """Replaces the file, on the disk when this returns. Raises StateError, which says
        whether the file is as it was."""
        content = to_text(state).encode()
        if len(content) > MAXIMUM_BYTES:
            raise StateError(
                f"{self.path}: {len(content)} bytes for {len(state)} claims, expected at most {MAXIMUM_BYTES}: "
                "nothing was changed"
            )
        beside = f"{self.path}.new"
        try:
            with open(beside, "wb", opener=_for_root_alone) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(beside)
            raise StateError(f"{self.path}: {error.strerror}: nothing was changed") from error
        try:
            _sync_folder(os.path.dirname(self.path))
        except OSError as error:
            raise StateError(f"{self.path}: {error.strerror}: changed, and perhaps not on the disk") from error

    def set_aside(self) -> str:
        """Keeps a damaged file under another name, which is returned. Raises StateError."""
        number = 1
        while os.path.lexists(f"{self.path}.corrupt-{number}"):
            number += 1
        kept = f"{self.path}.corrupt-{number}"
        try:
            os.rename(self.path, kept)
        except OSError as error:
            raise StateError(f"{self.path}: {error.strerror}: it cannot be kept as {kept}") from error
        return kept


class StateFile:
    """The file in `folder`, which is there and is the driver's alone."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @contextmanager
    def locked(self) -> Iterator[LockedState]:
        """Waits for whoever has the lock. Raises StateError where there can be none."""
        lock = f"{self._folder}/{LOCK_NAME}"
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{lock}: {error.strerror}: without the lock nothing is prepared") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                raise StateError(f"{lock}: {error.strerror}: without the lock nothing is prepared") from error
            yield LockedState(f"{self._folder}/{FILE_NAME}")
        finally:
            os.close(descriptor)


def _for_root_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
