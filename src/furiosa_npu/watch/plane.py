"""Which plane hands out this node's cards: the device plugin's or DRA's, never both at once.

Agents of one plane share a lock (flock(2)) on that plane's file, two of them during a rolling update; an agent of the
other plane finds it held and waits. The kernel lets go of it when its holder dies, however that comes.
"""

import asyncio
import fcntl
import os
from contextlib import suppress
from typing import Literal

from furiosa_npu.watch.conditions import Conditions

Plane = Literal["device-plugin", "dra"]

_AGENTS: dict[Plane, str] = {
    "device-plugin": "the device plugin (furiosa-npu-plugin)",
    "dra": "the DRA driver (furiosa-npu-dra-driver)",
}


PLANE_SECONDS = 1.0
"""Between two looks whether the other plane still hands out this node's cards."""


class PlaneLock:
    """One agent's. The files lie in `folder`, which is the same for all agents of a host, and stay empty."""

    def __init__(self, folder: str, plane: Plane) -> None:
        self._folder = folder
        self._plane: Plane = plane
        self._other: Plane = "dra" if plane == "device-plugin" else "device-plugin"
        self._held: int | None = None

    def take(self) -> str | None:
        """None: this agent's plane hands out, and nobody else's, until `release`. Else why not now; never waits."""
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
        path = self._path(self._other)
        others = _open(path)
        try:
            if not _locked(others, fcntl.LOCK_EX):
                agent = _AGENTS[self._other]
                return (
                    f"{path} is held: {agent} hands out this node's cards, and one plane at a time does; stop it first"
                )
        finally:
            os.close(others)
        own = _open(self._path(self._plane))
        if not _locked(own, fcntl.LOCK_SH):
            os.close(own)
            return f"{self._path(self._plane)} is held by what is no agent of ours: expected to share it"
        self._held = own
        return None

    def _path(self, plane: Plane) -> str:
        return f"{self._folder}/plane-{plane}.lock"


async def until_ours(lock: PlaneLock, conditions: Conditions) -> None:
    """Returns once the lock is taken, and says meanwhile who holds the other one."""
    while (reason := lock.take()) is not None:
        conditions.trouble("plane", reason)
        await asyncio.sleep(PLANE_SECONDS)
    conditions.well("plane")


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
