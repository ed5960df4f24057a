"""Whose turn it is on this machine: tests of clusters run beside each other, but one that judges times runs alone."""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Waits until it may begin. Whoever waits to be alone keeps the door shut for all that come later (flock(2))."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".machine.lock").open("w") as machine:
        with (folder / ".door.lock").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def file_and_release(test: str) -> str:
    """What the ids of tests that one process takes together have in common; of a folder of tests, the folder."""
    path, _, name = test.partition("::")
    folder, _, file = path.removeprefix("tests/cluster/").partition("/")
    release = re.search(r"[\[-](\d+\.\d+\.\d+)[\]-]", name)
    return f"{folder if file else path} {release[1] if release else 'any'}"
