"""The NPUs of all runs."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.sample_plugin import DEVICES
from furiosa_npu.simulator import Simulation, parse_scenario


@contextmanager
def living_cards(folder: Path) -> Iterator[Simulation]:
    """Simulated Warboys whose heartbeats move, in a process that is counted with no agent. `folder` is made."""
    scenario = parse_scenario("\n".join(["cards:", *["- {family: warboy}"] * DEVICES]))
    simulation = Simulation.create(str(folder), scenario)
    words = (sys.executable, "-m", "furiosa_npu.simulator", "run", simulation.folder)
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            yield simulation
        finally:
            process.terminate()
