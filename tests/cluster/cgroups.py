"""A cgroup of its own for each node's pods, in every hierarchy the machine has (v1, hybrid or v2)."""

import contextlib
import errno
import os
import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_NEEDED_V2 = ("cpu", "cpuset", "io", "memory", "pids")


def hierarchies() -> list[Path]:
    """The mounted hierarchies that hold controllers: one with cgroup v2, one a controller with v1 (cgroups(7))."""
    if (_ROOT / "cgroup.controllers").is_file():
        return [_ROOT]
    return [folder for folder in _mounted() if not (folder / "cgroup.controllers").is_file()]


def _mounted() -> list[Path]:
    """All hierarchies; in a hybrid set-up a v2 one without controllers too, where runc makes groups all the same."""
    if (_ROOT / "cgroup.controllers").is_file():
        return [_ROOT]
    found: dict[int, Path] = {}
    for folder in sorted(_ROOT.iterdir()):
        if (folder / "cgroup.procs").is_file():
            found.setdefault(folder.stat().st_dev, folder)  # `cpu` and `cpu,cpuacct` may name the same
    return list(found.values())


def make(name: str) -> None:
    """`/NAME` in every hierarchy, ready to have pods' cgroups below it. NAME may have several parts."""
    for root in hierarchies():
        place = root
        for part in Path(name).parts:
            above, place = place, place / part
            if (root / "cgroup.controllers").is_file():
                _pass_controllers_down(above)
            place.mkdir(exist_ok=True)
            _copy_cpuset(above, place)
        if (root / "cgroup.controllers").is_file():
            _pass_controllers_down(place)


def remove(name: str, deadline_seconds: float = 60) -> None:
    """Removes `/NAME` and all below it, once the kernel has buried the processes that were in there."""
    deadline = time.monotonic() + deadline_seconds
    for root in _mounted():
        place = root / name
        for folder, _, _ in list(os.walk(place, topdown=False)):
            while True:
                try:
                    os.rmdir(folder)
                except FileNotFoundError:
                    break
                except OSError as error:
                    if error.errno != errno.EBUSY or time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)


def _copy_cpuset(above: Path, place: Path) -> None:
    """A v1 cpuset starts without a CPU and takes no process; it gets what the one above it has (cpuset(7))."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        target = place / file
        if target.is_file() and (above / file).is_file() and not target.read_text().strip():
            with contextlib.suppress(PermissionError):
                target.write_text((above / file).read_text())


def _pass_controllers_down(place: Path) -> None:
    """v2: the groups below have the controllers that this one hands on."""
    there = (place / "cgroup.controllers").read_text().split()
    wanted = [f"+{controller}" for controller in _NEEDED_V2 if controller in there]
    (place / "cgroup.subtree_control").write_text(" ".join(wanted))
