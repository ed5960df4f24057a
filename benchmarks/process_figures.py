"""A process' memory and processor time, its children counted, as the kernel counts them (proc(5), clock_gettime(2))."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

LOOK_SECONDS = 5.0
"""Between two looks at the memory of what is at rest."""
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Memory(NamedTuple):
    """All in KiB."""

    rss: int
    rss_anon: int
    """what no other process shares and the kernel cannot drop"""
    pss: int
    """with each shared page counted by its share"""


class Work(NamedTuple):
    """What a process did since it started."""

    cpu_nanoseconds: int
    wake_ups: int
    """context switches of its own accord: it waited, and something woke it"""


class Rest(NamedTuple):
    """What an agent takes while nothing happens."""

    memory: Memory
    """the most that was seen of each"""
    idle: Work
    """a minute"""


def parse_sizes(text: str) -> dict[str, int]:
    """`VmRSS:	  17264 kB` of /proc/PID/status and /proc/PID/smaps_rollup: name to KiB, other lines left out."""
    sizes = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        words = value.split()
        if colon and len(words) == 2 and words[1] == "kB" and words[0].isdigit():
            sizes[name] = int(words[0])
    return sizes


def parse_reaped_ticks(text: str) -> int:
    """Processor time of children that ended and were waited for: `cutime` and `cstime` of /proc/PID/stat."""
    fields = text.rpartition(")")[2].split()  # from the third field on: the second may hold anything
    return int(fields[13]) + int(fields[14])


def memory(pid: int) -> Memory:
    """Of the process and all that descends from it."""
    return summed(map(_memory_of_one, _family(pid)))


def summed(memories: Iterable[Memory]) -> Memory:
    """Of several processes together."""
    return Memory(*map(sum, zip(*memories, strict=True)))


def work(pid: int) -> Work:
    """Of the process and all that descends from it; of those that ended, the processor time in whole ticks."""
    nanoseconds = wake_ups = 0
    for member in _family(pid):
        nanoseconds += time.clock_gettime_ns((~member << 3) | 2)  # CPUCLOCK_SCHED of a process: ended threads too
        nanoseconds += parse_reaped_ticks(Path(f"/proc/{member}/stat").read_text()) * 10**9 // _TICKS_A_SECOND
        for task in Path(f"/proc/{member}/task").iterdir():
            status = (task / "status").read_text()
            wake_ups += int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return Work(nanoseconds, wake_ups)


def at_rest(pids: list[int], seconds: float) -> list[Rest]:
    """What each process and its children take while nothing happens, from so long a look at all of them."""
    before = [work(pid) for pid in pids]
    started = time.monotonic()
    looks = [[memory(pid)] for pid in pids]
    while (left := started + seconds - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_SECONDS))
        for pid, seen in zip(pids, looks, strict=True):
            seen.append(memory(pid))
    factor = 60 / (time.monotonic() - started)
    return [
        Rest(Memory(*map(max, zip(*seen, strict=True))), _difference(then, work(pid), factor))
        for pid, then, seen in zip(pids, before, looks, strict=True)
    ]


def _difference(then: Work, now: Work, factor: float) -> Work:
    return Work(
        round((now.cpu_nanoseconds - then.cpu_nanoseconds) * factor), round((now.wake_ups - then.wake_ups) * factor)
    )


def _family(pid: int) -> list[int]:
    """The process and its descendants that live."""
    children = " ".join(file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children"))
    return [pid, *(member for child in children.split() for member in _family(int(child)))]


def _memory_of_one(pid: int) -> Memory:
    status = parse_sizes(Path(f"/proc/{pid}/status").read_text())
    rollup = parse_sizes(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return Memory(status["VmRSS"], status["RssAnon"], rollup["Pss"])
