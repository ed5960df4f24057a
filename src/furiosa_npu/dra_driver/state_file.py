"""`prepared.json` in the driver's folder: what is prepared, shared by all instances of the driver on this node.

It is read, changed and replaced under a `flock` of `prepared.lock` beside it, and never remembered: during a rolling
update two instances change it in turn. A driver that dies gives the lock back, and leaves the file as it was or whole.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from furiosa_npu.dra_driver.fields import FieldError
from furiosa_npu.dra_driver.prepared import State
from furiosa_npu.dra_driver.prepared_document import NewerVersion, from_text, to_text

FILE_NAME = "prepared.json"
LOCK_NAME = "prepared.lock"
MAXIMUM_BYTES = 4 << 20
"""A claim of sixteen whole cards takes about 32 KiB."""
LOCK_SECONDS = 10.0
"""For which whoever has the lock is waited for: it takes milliseconds. The kubelet gives a call 45 s."""
TRY_SECONDS = 0.01
"""Between two tries to have it."""

Stamp = tuple[int, int]
"""The file's inode and when it was changed, in nanoseconds: each write makes another file."""


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
            raise StateError(
                f"{self.path}: {error.strerror}: what is prepared cannot be read; where that lasts, move it away, and "
                "it is made out anew"
            ) from error
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

    def keep_damaged(self) -> str:
        """Gives a damaged file another name beside its own, under which it stays when it is replaced; returns it.

        Its own it loses at the next `write`: to whoever finds none, nothing is prepared. Raises StateError.
        """
        number = 1
        while os.path.lexists(kept := f"{self.path}.corrupt-{number}"):
            if os.path.samestat(os.lstat(kept), os.lstat(self.path)):
                return kept
            number += 1
        try:
            os.link(self.path, kept, follow_symlinks=False)
        except OSError as error:
            raise StateError(f"{self.path}: {error.strerror}: it cannot be kept as {kept}") from error
        return kept


class StateFile:
    """The file in `folder`, which is there and is the driver's alone."""

    def __init__(self, folder: str, patience_seconds: float = LOCK_SECONDS) -> None:
        self._folder = folder
        self._patience_seconds = patience_seconds

    def stamp(self) -> Stamp | None:
        """Other than before where the file is; None: there is none. Needs no lock."""
        try:
            status = os.stat(f"{self._folder}/{FILE_NAME}")
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    @contextmanager
    def locked(self) -> Iterator[LockedState]:
        """Waits for whoever has the lock. Raises StateError where that lasts, or there can be none."""
        lock = f"{self._folder}/{LOCK_NAME}"
        try:
            descriptor = self._opened(lock)
        except OSError as error:
            raise StateError(f"{lock}: {error.strerror}: without the lock nothing is prepared") from error
        try:
            try:
                has_it = self._lock(descriptor)
            except OSError as error:
                raise StateError(f"{lock}: {error.strerror}: without the lock nothing is prepared") from error
            if not has_it:
                raise StateError(
                    f"{lock} is held by another instance of the driver that hangs, or by a call of this one whose disk "
                    "does not answer: without the lock nothing is prepared or unprepared"
                )
            yield LockedState(f"{self._folder}/{FILE_NAME}")
        finally:
            os.close(descriptor)

    def _opened(self, lock: str) -> int:
        """Of a lock that is there also where nothing can be written; a folder that was removed is made again."""
        with suppress(FileNotFoundError):
            return os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
        os.makedirs(self._folder, 0o700, exist_ok=True)
        return os.open(lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _lock(self, descriptor: int) -> bool:
        """Whether it was to be had in time: flock(2) itself waits without end."""
        until = time.monotonic() + self._patience_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    return False
                time.sleep(TRY_SECONDS)
            else:
                return True


def _for_root_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
