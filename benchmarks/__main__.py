"""Measures and prints; `scripts/bench` starts it as root in a mount namespace of its own."""

import asyncio
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks.run import run
from benchmarks.sample_plugin import DEVICES, NEWEST, OLD, sample_plugins
from benchmarks.table import table


def main(arguments: list[str]) -> int:
    """The one argument is the number of idle minutes; scripts/bench has checked it."""
    programs = sample_plugins()
    with tempfile.TemporaryDirectory(prefix="npu-", dir="/tmp") as name:
        figures = asyncio.run(run(Path(name), programs, int(arguments[0])))
    machine = f"{os.cpu_count()} processors, Linux {platform.release()}, {platform.machine()}"
    print(f"\n{DEVICES} simulated Warboys; {machine}; Python {platform.python_version()};")
    print(f"sample plugins with {DEVICES} devices: {OLD} by Debian's Go, {NEWEST} by Go {programs.newest_go}\n")
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
