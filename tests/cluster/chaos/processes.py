"""Processes of a node as the machine sees them: the agents, and who may open which device (proc(5), cgroups(7))."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.cluster import cgroups

_TICKS = os.sysconf("SC_CLK_TCK")
_POD = re.compile(r"/pod([0-9a-f-]{36})/([0-9a-f]{64})$")


class Container(NamedTuple):
    """A container's group in the device hierarchy."""

    pod: str
    id: str
    group: Path


def containers(group: str) -> Iterator[Container]:
    """All containers of pods below a node's cgroup, sandboxes too, dead or alive."""
    top = cgroups.hierarchies()[0] if (root := _device_hierarchy()) is None else root
    for folder, _, _ in os.walk(top / group):
        if found := _POD.search(folder):
            yield Container(found[1], found[2], Path(folder))


def _device_hierarchy() -> Path | None:
    """cgroup v1's; None with v2, where devices are a program in the kernel that nobody can read back."""
    v1 = Path("/sys/fs/cgroup/devices")
    return v1 if (v1 / "devices.list").is_file() else None


def members(group: Path) -> list[int]:
    """The processes in it, as the machine counts them."""
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def allowed_devices(container: Container) -> set[tuple[int, int]]:
    """(major, minor) of the character devices that it may open for writing.

    With cgroup v2: the device nodes in its /dev, which the runtime makes for just those.
    """
    if _device_hierarchy() is None:
        return {pair for pid in members(container.group)[:1] for pair in _device_nodes(pid)}
    try:
        return parse_devices_list((container.group / "devices.list").read_text())
    except OSError:
        return set()  # the container ended, and its group with it


def parse_devices_list(text: str) -> set[tuple[int, int]]:
    """Of cgroup v1's `devices.list`: lines such as `c 510:1 rw`; those that name all of a major are left out."""
    return {(int(major), int(minor)) for major, minor in re.findall(r"^c (\d+):(\d+) \w*w", text, re.MULTILINE)}


def _device_nodes(pid: int) -> Iterator[tuple[int, int]]:
    try:
        for entry in os.scandir(f"/proc/{pid}/root/dev"):
            if entry.name.startswith("npu"):
                number = entry.stat().st_rdev
                yield os.major(number), os.minor(number)
    except OSError:
        return  # the container ended


def started_at(pid: int) -> float | None:
    """The process' start on the wall clock; None for one that is no more."""
    fields = _stat(pid)
    if fields is None:
        return None
    booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)  # in one breath: nothing is read in between
    return booted_at + int(fields[19]) / _TICKS


def is_stopped(pid: int) -> bool:
    """SIGSTOP holds it."""
    fields = _stat(pid)
    return fields is not None and fields[0] == "T"


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third on (the state); None for a process that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields


def find_agent(group: str, program: str) -> int | None:
    """The process of an agent on a node, not one of its children; None where there is none."""
    for container in containers(group):
        for pid in members(container.group):
            if _runs(pid, program) and not _runs(_parent(pid), program):
                return pid
    return None


def _runs(pid: int, program: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(word.endswith(program.encode()) for word in words[:4])


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields is not None else 0


class Memory(NamedTuple):
    """VmRSS and RssAnon of /proc/PID/status, in KiB."""

    rss_kib: int
    anonymous_kib: int


def memory(pid: int) -> Memory | None:
    """None for a process that is no more."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    found = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB", text, re.MULTILINE))
    return Memory(int(found["VmRSS"]), int(found["RssAnon"])) if found else None
