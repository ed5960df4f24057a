"""A process' memory and processor time, as the kernel counts them (proc(5))."""

import time
from pathlib import Path
from typing import NamedTuple


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


def parse_sizes(text: str) -> dict[str, int]:
    """`VmRSS:	  17264 kB` of /proc/PID/status and /proc/PID/smaps_rollup: name to KiB, other lines left out."""
    sizes = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        words = value.split()
        if colon and len(words) == 2 and words[1] == "kB" and words[0].isdigit():
            sizes[name] = int(words[0])
    return sizes


def memory(pid: int) -> Memory:
    status = parse_sizes(Path(f"/proc/{pid}/status").read_text())
    rollup = parse_sizes(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return Memory(status["VmRSS"], status["RssAnon"], rollup["Pss"])


def work(pid: int) -> Work:
    """Summed over its threads."""
    nanoseconds = wake_ups = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        nanoseconds += int((task / "schedstat").read_text().split()[0])
        status = (task / "status").read_text()
        wake_ups += int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return Work(nanoseconds, wake_ups)


def work_a_minute(pids: list[int], seconds: float) -> list[Work]:
    """What each process does in a minute of idleness, from a look of `seconds` at all of them."""
    before = [work(pid) for pid in pids]
    time.sleep(seconds)
    factor = 60 / seconds
    return [
        Work(round((now.cpu_nanoseconds - then.cpu_nanoseconds) * factor), round((now[1] - then[1]) * factor))
        for now, then in zip((work(pid) for pid in pids), before, strict=True)
    ]
