"""Whether a simulation's sysfs root is mounted: a lock that a mount holds while it lives."""

import contextlib
import fcntl
from collections.abc import Iterator


@contextlib.contextmanager
def mark_mounted(folder: str) -> Iterator[None]:
    """Shared by all mounts of the simulation in this folder."""
    with open(f"{folder}/mount.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def is_mounted(folder: str) -> bool:
    """Whether a process serves the sysfs root of the simulation in this folder."""
    try:
        with open(f"{folder}/mount.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
