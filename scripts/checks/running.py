"""Runs the programs of a stage, ends them at their deadline or with us, and reads what they counted."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from xml.etree import ElementTree

from scripts.checks.preparation import CHECKOUT
from scripts.checks.report import Counts, Outcome, counts_of_junit
from scripts.checks.stages import Stage, commands_of

_SECONDS_TO_CLEAR_UP = 180
"""for a program that was asked to end: a cluster of three nodes is taken down meanwhile"""
_NO_TESTS = 5
"""pytest's exit status where a folder has no tests"""


class Interrupted(BaseException):
    """A signal that ends us came."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.status = 128 + number


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside, the signals that end a program raise Interrupted."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_stage(stage: Stage, programs: Path, environment: dict[str, str]) -> Outcome:
    """Runs all programs of the stage, also after one that failed."""
    started = time.monotonic()
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="furiosa-npu-checks-") as folder:
        junit = Path(folder, "junit.xml")
        for words in commands_of(stage, programs, junit):
            status = _run(words, environment, stage.deadline_seconds - (time.monotonic() - started))
            if status is None:
                failures.append(f"{_named(words)}: not done after {stage.deadline_seconds} s, ended")
            elif stage.tests is None and status != 0:
                failures.append(f"{_named(words)}: exit {status}")
        counts = Counts() if stage.tests is None else _counted(junit, failures)
        if stage.tests is not None and not failures and counts.failed == 0 and status != 0:
            failures.append(f"pytest {stage.tests}: exit {status}{' (no tests)' if status == _NO_TESTS else ''}")
    return Outcome(stage.name, time.monotonic() - started, counts, tuple(failures))


def _named(words: tuple[str, ...]) -> str:
    return " ".join([Path(words[0]).name, *words[1:]])


def _counted(junit: Path, failures: list[str]) -> Counts:
    try:
        return counts_of_junit(junit.read_text())
    except FileNotFoundError:
        failures.append("pytest ended before it wrote its counts")
    except (ElementTree.ParseError, KeyError) as problem:
        failures.append(f"{junit}: found {problem!r}, expected pytest's JUnit file")
    return Counts()


def _run(words: tuple[str, ...], environment: dict[str, str], seconds: float) -> int | None:
    """The exit status; None where the deadline came first."""
    # a process group of its own: Ctrl-C reaches it once, through _end
    with subprocess.Popen(words, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, process_group=0) as program:
        try:
            return program.wait(max(seconds, 1))
        except subprocess.TimeoutExpired:
            _end(program)
            return None
        except Interrupted:
            _end(program)
            raise


def _end(program: subprocess.Popen[bytes]) -> None:
    """Asks it to end as Ctrl-C does, so that it takes down what it put up; ends it where it does not."""
    if program.poll() is None:
        program.send_signal(signal.SIGINT)
    try:
        program.wait(_SECONDS_TO_CLEAR_UP)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
