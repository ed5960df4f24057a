"""Runs other programs, and says what they said when they fail."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class CommandFailed(Exception):
    """A program ended with another status than 0; the message holds its words and where it ran."""

    def __init__(self, argv: Sequence[str], status: int, output: str, errors: str) -> None:
        super().__init__(f"{' '.join(argv)}: exit {status}\n{errors}{output}".rstrip())
        self.status = status
        self.output = output
        self.errors = errors


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    deadline_seconds: float = 300,
) -> str:
    """The program's standard output. `environment` is added to this process' own.

    Raises CommandFailed for another exit status than 0, subprocess.TimeoutExpired past the deadline.
    """
    done = subprocess.run(
        argv,
        input=stdin if stdin is not None else "",
        cwd=folder,
        env={**os.environ, **environment} if environment else None,
        capture_output=True,
        text=True,
        timeout=deadline_seconds,
        check=False,
    )
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stdout, done.stderr)
    return done.stdout
