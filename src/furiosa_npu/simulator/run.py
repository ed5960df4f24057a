"""`run`: a simulation that lives. Each second heartbeats and the counters of PEs in use move on.

What a user writes into the tree (`performance_mode`) is shown as the driver shows it as soon as the file is closed.
"""

import contextlib
import fcntl
import os
import select
import time
from collections.abc import Callable

from furiosa_npu.linux.inotify import IN_CLOSE_WRITE, Inotify
from furiosa_npu.simulator.changes import ChangeError
from furiosa_npu.simulator.controls import control_path
from furiosa_npu.simulator.simulation import Simulation
from furiosa_npu.simulator.stop import stop_descriptor
from furiosa_npu.simulator.writer import place


def live(simulation: Simulation, wait: Callable[[float], bool], clock: Callable[[], float]) -> None:
    """Move the simulation on by the whole seconds that `clock` (monotonic, seconds) has gone, until told to stop.

    `wait(seconds)` returns True to stop, and False after that time, or earlier to have a look at what users wrote.
    """
    passed = clock()
    while not wait(max(0.0, passed + 1 - clock())):
        seconds = int(clock() - passed)
        simulation.advance(seconds)
        passed += seconds


def run(simulation: Simulation, running: Callable[[], None]) -> None:
    """`live` until SIGTERM or SIGINT; `running` is called once it lives.

    Raises `ChangeError` where the simulation is run already.
    """
    with open(f"{simulation.folder}/run.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ChangeError(f"{simulation.folder}: is run by another process already") from None
        stop = stop_descriptor()
        writes = Inotify()

        def wait(seconds: float) -> bool:
            _watch(simulation, writes)
            ready, _, _ = select.select([stop, writes.fileno()], [], [], seconds)
            writes.read()
            return stop in ready

        _watch(simulation, writes)
        running()
        live(simulation, wait, time.monotonic)


def _watch(simulation: Simulation, writes: Inotify) -> None:
    """Folders of the files that users write: cards come and go, and a folder that is watched already stays so."""
    roots = simulation.roots
    for card in simulation.state().cards:
        with contextlib.suppress(FileNotFoundError):  # the card is removed, or its driver unloaded
            writes.add_watch(os.path.dirname(place(control_path(card), roots)), IN_CLOSE_WRITE)
