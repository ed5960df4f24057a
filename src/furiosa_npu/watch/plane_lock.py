"""Which plane hands out this node's cards: the device plugin's or DRA's, never both at once.

Agents of one plane share a lock (flock(2)) on that plane's file, two of them during a rolling update; an agent of the
other plane finds it held and waits. The kernel lets go of it when its holder dies, however that comes.
"""

import errno
import fcntl
import os
from contextlib import suppress
from typing import Literal

Plane = Literal["device-plugin", "dra"]

AGENTS: dict[Plane, str] = {
    "device-plugin": "the device plugin (furiosa-npu-plugin)",
    "dra": "the DRA driver (furiosa-npu-dra-driver)",
}
"""plane to who hands out cards there"""


class PlaneLock:
    """One agent's. The files lie in `folder`, which is the same for all agents of a host, and stay empty."""

    def __init__(self, folder: str, plane: Plane) -> None:
        self._folder = folder
        self._plane: Plane = plane
        self._other: Plane = "dra" if plane == "device-plugin" else "device-plugin"
        self._held: int | None = None
        self.is_others = False
        """at the last `take` the other plane handed out, and so nobody of this one"""

    def take(self) -> str | None:
        """None: this agent's plane hands out, and nobody else's, until `release`. Else why not now; never waits."""
        self.is_others = False
        if self._held is not None:
            return None
        try:
            os.makedirs(self._folder, mode=0o755, exist_ok=True)
            deciding = _open(f"{self._folder}/plane.lock")
            try:
                return self._decide(deciding)
            finally:
                os.close(deciding)
        except OSError as error:
            where = error.filename or self._folder
            return f"{where}: {error.strerror or error}: it cannot be told whether the other plane hands out cards"

    def release(self) -> None:
        """The other plane may hand out from now on."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _decide(self, deciding: int) -> str | None:
        if not _locked(deciding, fcntl.LOCK_EX):
            return f"{self._folder}/plane.lock is held: another agent decides at this moment"
        path = _path(self._folder, self._other)
        others = _open(path)
        try:
            if not _locked(others, fcntl.LOCK_EX):
                self.is_others = True
                agent = AGENTS[self._other]
                return (
                    f"{path} is held: {agent} hands out this node's cards, and one plane at a time does; stop it first"
                )
        finally:
            os.close(others)
        own = _open(_path(self._folder, self._plane))
        if not _locked(own, fcntl.LOCK_SH):
            os.close(own)
            return f"{_path(self._folder, self._plane)} is held by what is no agent of ours: expected to share it"
        self._held = own
        return None


def holder(folder: str) -> Plane | None:
    """Whose agents hand out now. Raises OSError where that cannot be told.

    It is tried by taking the locks for an instant, as an agent that starts does: one that comes in that instant tries
    again a second later. Nothing is made or written.
    """
    try:
        deciding = os.open(f"{folder}/plane.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        os.stat(folder)
        return None  # no agent was here yet
    try:
        if not _locked(deciding, fcntl.LOCK_EX):
            raise BlockingIOError(errno.EAGAIN, "an agent decides at this moment", f"{folder}/plane.lock")
        return next((plane for plane in AGENTS if _is_held(_path(folder, plane))), None)
    finally:
        os.close(deciding)


def _is_held(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _locked(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _path(folder: str, plane: Plane) -> str:
    return f"{folder}/plane-{plane}.lock"


def _open(path: str) -> int:
    with suppress(FileNotFoundError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # so that a full or read-only disk keeps nobody
    return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
