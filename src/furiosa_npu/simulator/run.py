"""`run`: a simulation that lives. Each second heartbeats and the counters of PEs in use move on."""

import fcntl
import os
import select
import signal
import time
from collections.abc import Callable

from furiosa_npu.simulator.changes import ChangeError
from furiosa_npu.simulator.simulation import Simulation


def live(simulation: Simulation, wait: Callable[[float], bool], clock: Callable[[], float]) -> None:
    """Move the simulation on by the whole seconds that `clock` (monotonic, seconds) has gone, until told to stop.

    `wait(seconds)` returns True to stop, and False after that time or earlier.
    """
    passed = clock()
    while not wait(max(0.0, passed + 1 - clock())):
        seconds = int(clock() - passed)
        simulation.advance(seconds)
        passed += seconds


def run(simulation: Simulation) -> None:
    """`live` until SIGTERM or SIGINT. Raises `ChangeError` where the simulation is run already."""
    with open(f"{simulation.folder}/run.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ChangeError(f"{simulation.folder}: is run by another process already") from None
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os.write(writing, b"."))
        live(simulation, lambda seconds: bool(select.select([reading], [], [], seconds)[0]), time.monotonic)
