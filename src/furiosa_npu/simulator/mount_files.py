"""The operations of a mounted simulation, as `mfusepy` calls them: many threads at once, paths from the mount's root.

Everything is looked up anew at each call, so that a fault shows as soon as its command has returned. What a method
raises as `OSError` is the answer to the system call.
"""

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterable

from furiosa_npu.simulator.mount_view import CallFault, busy_files, call_faults, hanging_files
from furiosa_npu.simulator.simulation import Simulation
from furiosa_npu.simulator.state import State

_LOOK_SECONDS = 0.05
"""between two looks of a call that hangs at whether it still does"""


class _Newest:
    """The simulation's state, read again where its file has been replaced."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._state: State | None = None

    def __call__(self) -> State:
        status = os.stat(f"{self._simulation.folder}/state.json")
        of_now = (status.st_ino, status.st_mtime_ns)
        with self._lock:
            if self._state is None or self._seen != of_now:
                self._state, self._seen = self._simulation.state(), of_now
            return self._state


class _Tree:
    """One root of the simulation as it lies on the disk, read only."""

    use_ns = True
    """mfusepy: times are whole nanoseconds"""

    def __init__(self, root: str, state: Callable[[], State], given_up: Callable[[], int | None]) -> None:
        """`given_up()`: the errno for a call that hangs and shall not any more, else None."""
        self._root = root
        self._state = state
        self._given_up = given_up

    def _wait(self, hangs: Callable[[], bool]) -> None:
        pause = threading.Event()
        while hangs():
            answer = self._given_up()
            if answer is not None:
                raise _refused(answer)
            pause.wait(_LOOK_SECONDS)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        status = os.lstat(self._root + path)
        return {
            "st_mode": status.st_mode,
            "st_nlink": status.st_nlink,
            "st_uid": status.st_uid,
            "st_gid": status.st_gid,
            "st_size": status.st_size,
            "st_atime": status.st_atime_ns,
            "st_mtime": status.st_mtime_ns,
            "st_ctime": status.st_ctime_ns,
        }

    def readlink(self, path: str) -> str:
        return os.readlink(self._root + path)

    def readdir(self, path: str, fh: int) -> Iterable[str]:
        return [".", "..", *os.listdir(self._root + path)]


class SysFiles(_Tree):
    """The sysfs root, with faults of system calls. EACCES is the answer to open, the others to read, as of sysfs."""

    def __init__(self, simulation: Simulation, given_up: Callable[[], int | None]) -> None:
        super().__init__(simulation.roots.sysfs, _Newest(simulation), given_up)

    def open(self, path: str, flags: int) -> int:
        os.lstat(self._root + path)
        fault = self._fault(path)
        if fault.errno == errno.EACCES and not fault.hangs:
            raise _refused(errno.EACCES)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._wait(lambda: self._fault(path).hangs)
        fault = self._fault(path)
        if fault.errno is not None:
            raise _refused(fault.errno)
        try:
            with open(self._root + path, "rb") as file:
                return os.pread(file.fileno(), size, offset)
        except FileNotFoundError:
            raise _refused(errno.ENODEV) from None  # as sysfs answers for a device that went while it was open

    def _fault(self, path: str) -> CallFault:
        return call_faults(self._state()).get(f"sys{path}", CallFault(hangs=False, errno=None))


class DevFiles(_Tree):
    """The devfs root: a plain file for each device, which opens for reading and writing unless its PEs are in use."""

    def __init__(self, simulation: Simulation, given_up: Callable[[], int | None]) -> None:
        super().__init__(simulation.roots.devfs, _Newest(simulation), given_up)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        status = super().getattr(path, fh)
        if stat.S_ISCHR(status["st_mode"]):
            status["st_mode"] = stat.S_IFREG | stat.S_IMODE(status["st_mode"])
        return status

    def open(self, path: str, flags: int) -> int:
        os.lstat(self._root + path)
        if flags & os.O_ACCMODE == os.O_RDWR:
            self._wait(lambda: f"dev{path}" in hanging_files(self._state()))
            if f"dev{path}" in busy_files(self._state()):
                raise _refused(errno.EBUSY)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return b""


def _refused(number: int) -> OSError:
    return OSError(number, os.strerror(number))
