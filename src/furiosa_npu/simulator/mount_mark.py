"""Whether a simulation's root is mounted: a lock for each root, that a mount holds while it lives."""

import contextlib
import fcntl
from collections.abc import Iterator

from furiosa_npu.simulator.faults import Root


@contextlib.contextmanager
def mark_mounted(folder: str, root: Root) -> Iterator[None]:
    """Shared by all mounts of this root of the simulation in this folder."""
    with open(_path(folder, root), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def is_mounted(folder: str, root: Root) -> bool:
    """Whether a process serves this root of the simulation in this folder."""
    try:
        with open(_path(folder, root), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _path(folder: str, root: Root) -> str:
    return f"{folder}/mount-{root}.lock"
