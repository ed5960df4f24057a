"""The folder of one cluster, its lock, and what a run that was killed left behind.

`<cache>/runs/<run id>/`: `lock` is held by all that lives of the run; `run.json` says how to end it. Names outside the
folder (cgroups) carry the run id.
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.cluster import cgroups
from tests.cluster.cache import cache_folder

_KEPT_LOGS = 40


class Run:
    """One run: its id, its folder, and the lock that says it lives."""

    def __init__(self) -> None:
        runs_folder().mkdir(parents=True, exist_ok=True)
        self.id = run_id(time.localtime(), secrets.token_hex(2))
        self.folder = runs_folder() / self.id
        self.logs = self.folder / "logs"
        with _alone():  # a folder without its lock would look dead
            sweep()
            self.logs.mkdir(parents=True)
            self.lock: IO[str] = (self.folder / "lock").open("w")
            fcntl.flock(self.lock, fcntl.LOCK_EX)

    @property
    def cgroup(self) -> str:
        return cgroup_of(self.id)

    def record(self, holders: list[int]) -> None:
        """Notes the processes that hold the hosts, for `end` in another process."""
        known = [{"pid": pid, "started": started(pid)} for pid in holders]
        (self.folder / "run.json").write_text(json.dumps({"holders": known}))

    def close(self) -> None:
        with _alone():  # the next run would clear it, too
            self.lock.close()
            clear(self.folder)


@contextmanager
def _alone() -> Iterator[None]:
    """No other run begins or ends meanwhile."""
    with (cache_folder() / ".runs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_id(begun: time.struct_time, chance: str) -> str:
    """Later runs come later by name."""
    return f"{time.strftime('%Y%m%d-%H%M%S', begun)}-{chance}"


def runs_folder() -> Path:
    return cache_folder() / "runs"


def cgroup_of(run_id: str) -> str:
    return f"furiosa-npu-test-{run_id}"


def started(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot (proc(5), stat, field 22); None for one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[19])


def lives(folder: Path) -> bool:
    """Whether anything of the run holds its lock."""
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def living() -> list[Path]:
    return [folder for folder in sorted(runs_folder().glob("*")) if lives(folder)]


def sweep() -> None:
    """Removes what dead runs left (cgroups, data), and all but the youngest runs' logs."""
    dead = [folder for folder in sorted(runs_folder().glob("*")) if not lives(folder)]
    for folder in dead:
        clear(folder)
    for folder in dead[:-_KEPT_LOGS]:
        shutil.rmtree(folder)


def end(folder: Path) -> None:
    """Ends a run that another process started: kills what holds its hosts, and all in them dies with it."""
    record = json.loads((folder / "run.json").read_text())
    for holder in record["holders"]:
        if started(holder["pid"]) == holder["started"]:
            pidfd = os.pidfd_open(holder["pid"])
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
    deadline = time.monotonic() + 20
    while lives(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    with _alone():
        clear(folder)


def clear(folder: Path) -> None:
    """Removes all of a dead run but its logs."""
    cgroups.remove(cgroup_of(folder.name))
    for place in folder.iterdir():
        if place.is_dir() and place.name != "logs":
            shutil.rmtree(place, ignore_errors=True)
        elif place.is_file():
            place.unlink()
