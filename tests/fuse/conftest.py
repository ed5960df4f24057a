"""Simulations to mount, and mounts that are gone when a test is over."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from furiosa_npu.hardware.reading import Roots
from furiosa_npu.simulator import Simulation, parse_scenario
from tests.protocol.conftest import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]
"""`async def` tests run here, too."""

COMMAND = [sys.executable, "-m", "furiosa_npu.simulator"]
MIXED = "cards: [{family: warboy}, {family: renegade}]"
WARBOY, RENEGADE = "0000:01:00.0", "0000:02:00.0"


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that every user may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="npu-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def simulation(folder: Path) -> Simulation:
    return Simulation.create(f"{folder}/sim", parse_scenario(MIXED))


class Mount:
    """A mount of a simulation, and the process that serves it."""

    def __init__(self, place: Path, process: subprocess.Popen[str]) -> None:
        self.place = place
        self.process = process

    def roots(self, simulation: Simulation) -> Roots:
        """What an agent is told that has this mount for its sysfs root."""
        return simulation.roots._replace(sysfs=str(self.place))


@contextlib.contextmanager
def mounted(simulation: Simulation, *options: str) -> Iterator[Mount]:
    """Ended by SIGTERM, and then by force where it is still there."""
    place = Path(simulation.folder).parent / "mount"
    place.mkdir()
    words = [*COMMAND, "mount", simulation.folder, str(place), *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{place}: mounted until SIGTERM or Ctrl-C\n"
            yield Mount(place, process)
            process.terminate()
            process.wait(timeout=30)
        finally:
            process.kill()
            subprocess.run(["fusermount3", "-u", "-z", "-q", place], check=False)


@pytest.fixture
def sysfs(simulation: Simulation) -> Iterator[Mount]:
    with mounted(simulation) as mount:
        yield mount
