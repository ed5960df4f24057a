"""A program that runs while something is measured."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PLAIN = {"PATH": "/usr/bin:/bin"}
"""the environment of whoever needs no other"""


class Program(NamedTuple):
    """Its command, its environment, and what it is to the benchmark. What it says goes to a log of its name."""

    name: str
    words: tuple[str, ...]
    environment: dict[str, str] = PLAIN
    resources: tuple[str, ...] = ()
    """what it registers; nothing where it is no device plugin"""
    bare: tuple[str, ...] | None = None
    """of a Python program: the words that start its interpreter and end it at once"""


@contextmanager
def running(program: Program, logs: Path) -> Iterator[int]:
    """Its PID; killed at the end."""
    with (
        (logs / f"{program.name}.log").open("ab") as log,
        subprocess.Popen(
            program.words, env=program.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ) as process,
    ):
        try:
            yield process.pid
        finally:
            process.kill()
