"""`/proc/*/fd`: which processes have a card's device files open (proc(5)). Needs the right to look at others' files."""

import os
import stat
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from furiosa_npu.hardware.reading import CardUser, DeviceFile, Reading

_OTHERS = (
    "/dev/console",
    "/dev/fuse",
    "/dev/hugepages/",
    "/dev/mqueue/",
    "/dev/null",
    "/dev/pt",
    "/dev/random",
    "/dev/shm/",  # noqa: S108  # nothing is put there
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
)
"""How the paths begin that processes have open by the hundred, and under which a container has no NPU."""
_KERNEL_THREAD = 0x00200000
"""PF_KTHREAD (Linux `include/linux/sched.h`) in the flags of proc_pid_stat(5)"""


class DeviceUser(NamedTuple):
    """A process with a device file open that may be an NPU's, perhaps under another name or in a container."""

    pid: int
    command: str
    """`/proc/PID/comm`"""
    device_number: tuple[int, int] | None
    """(major, minor); None for a plain file that stands for a device"""
    path: str
    """where the link leads, as that process sees it"""

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})"


def sees_other_processes(proc: str, own_pid: int) -> bool:
    """Whether some process' open files can be seen besides our own, found by trying.

    In a container without the host's PID namespace, where we are process 1, there are but our own children.
    """
    if own_pid == 1:
        return False
    return any(
        _shows_its_files(f"{proc}/{name}/fd") for name in os.listdir(proc) if name.isdecimal() and int(name) != own_pid
    )


def _shows_its_files(folder: str) -> bool:
    try:
        return any(os.readlink(f"{folder}/{descriptor}") for descriptor in os.listdir(folder))
    except OSError:
        return False  # closed to us, or gone


class Look(NamedTuple):
    """What was found of a process."""

    cpu_nanoseconds: int | None
    """what it had run before; None: not to be told"""
    users: tuple[DeviceUser, ...]
    kernel: bool
    """it is a thread of the kernel's: half of all processes, which never have a file open"""


def cpu_nanoseconds(pid: int) -> int | None:
    """How long the process has run, all its threads together (clock_getcpuclockid(3)); None: there is none, or the
    kernel does not tell."""
    try:
        return time.clock_gettime_ns(~pid << 3 | 2)
    except OSError:
        return None


def find_users(
    proc: str,
    devfs: str,
    own_pid: int,
    looks: dict[str, Look],
    cpu_nanoseconds: Callable[[int], int | None] = cpu_nanoseconds,
) -> tuple[DeviceUser, ...]:
    """Every other process with something like an NPU's device file open, by PID.

    Looked at more closely is what lies in `/dev/`, since a container may have its own names for devices (`docker run
    --device /dev/npu0:/dev/accel0`), but for what everybody has open; and what has `npu` in its path: devices wherever
    they lie, and plain files below the devfs root. What ends meanwhile has nothing open; what may not be looked
    at is left out. `looks`: of the time before, by PID, and then of this time. A process that has not run since has
    opened nothing, and neither it nor the kernel's own threads are looked at again.
    Raises OSError where it cannot be looked: no descriptor is to be had, for this process or on the whole machine.
    """
    users: list[DeviceUser] = []
    names = {name for name in os.listdir(proc) if name.isdecimal()}
    for name in looks.keys() - names:
        del looks[name]
    for name in sorted(names - {str(own_pid)}, key=int):
        look = looks.get(name)
        if look is None or not look.kernel:
            ran = cpu_nanoseconds(int(name))
            if look is None or ran is None or ran != look.cpu_nanoseconds:
                look = looks[name] = _look(proc, int(name), devfs, ran)
        users += look.users
    return tuple(users)


def _look(proc: str, pid: int, devfs: str, ran: int | None) -> Look:
    folder = f"{proc}/{pid}"
    found = _open_devices(f"{folder}/fd", devfs)
    command = _command(folder) if found else ""
    users = tuple(DeviceUser(pid, command, number, path) for path, number in found or ())
    return Look(ran, users, found is None and _is_kernel_thread(folder))


def users_of(card: Reading, users: Sequence[DeviceUser], devfs: str) -> tuple[CardUser, ...]:
    """Those that compute on the card, each once: a file is known by its device number, a plain one by its path."""
    files = card.compute_files
    found: dict[str, list[DeviceFile]] = {}
    for user in users:
        opened = [file for file in files if _is(user, file, devfs)]
        if opened:
            found.setdefault(str(user), []).extend(opened)
    return tuple(CardUser(who, _pes(opened)) for who, opened in found.items())


def _pes(files: Sequence[DeviceFile]) -> tuple[int, ...] | None:
    pes: set[int] = set()
    for file in files:
        if file.first_pe is None or file.last_pe is None:
            return None
        pes.update(range(file.first_pe, file.last_pe + 1))
    return tuple(sorted(pes))


def _is(user: DeviceUser, file: DeviceFile, devfs: str) -> bool:
    if file.device_number is not None:
        return user.device_number == file.device_number
    return user.device_number is None and user.path == f"{devfs}/{file.path}"


def _open_devices(folder: str, devfs: str) -> list[tuple[str, tuple[int, int] | None]] | None:
    """None: the process has no file open at all."""
    try:
        descriptors = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []  # the process is gone, or not for us to see
    if not descriptors:
        return None
    found: list[tuple[str, tuple[int, int] | None]] = []
    for descriptor in descriptors:
        link = f"{folder}/{descriptor}"
        try:
            path = os.readlink(link)
        except PermissionError:
            return found  # the process is not for us to see, whichever of its files it is
        except OSError:
            continue  # closed meanwhile: the others are looked at all the same
        if "npu" in path or (path.startswith("/dev/") and not path.startswith(_OTHERS)):
            found += _device(link, path, devfs)
    return found


def _device(link: str, path: str, devfs: str) -> list[tuple[str, tuple[int, int] | None]]:
    try:
        status = os.stat(link)
    except OSError:
        return []  # closed meanwhile, or on a file system that does not let us look
    if stat.S_ISCHR(status.st_mode):
        return [(path, (os.major(status.st_rdev), os.minor(status.st_rdev)))]
    plain = stat.S_ISREG(status.st_mode) and "npu" in path and path.startswith(f"{devfs}/")
    return [(path, None)] if plain else []


def _is_kernel_thread(folder: str) -> bool:
    try:
        with open(f"{folder}/stat", encoding="utf-8", errors="replace") as file:
            flags = file.read().rpartition(")")[2].split()[6]
        return bool(int(flags) & _KERNEL_THREAD)
    except (OSError, ValueError, IndexError):
        return False


def _command(folder: str) -> str:
    try:
        with open(f"{folder}/comm", encoding="utf-8", errors="replace") as file:
            return "".join(character if character.isprintable() else "?" for character in file.read(64).strip())
    except OSError:
        return "ended meanwhile"
