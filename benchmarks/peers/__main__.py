"""Measures and prints; `scripts/bench peers` starts it as root in a mount namespace of its own."""

import asyncio
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.cluster.go_tools import newer_go
from tests.cluster.product import built

from benchmarks.peers import images
from benchmarks.peers.image_files import peers_images, unpacked_bytes
from benchmarks.peers.programs import programs
from benchmarks.peers.run import run
from benchmarks.peers.table import table
from benchmarks.sample_plugin import DEVICES


def main() -> int:
    found = programs()
    theirs, ours = peers_images(found), unpacked_bytes(built().archive)
    with tempfile.TemporaryDirectory(prefix="npu-", dir="/tmp") as name:
        figures = asyncio.run(run(Path(name), found))
    machine = f"{os.cpu_count()} processors, Linux {platform.release()}, {platform.machine()}"
    print(
        f"\n{DEVICES} simulated Warboys; {machine}; Python {platform.python_version()}, Go {newer_go().version}; MiB\n"
    )
    print(table(figures))
    print(f"\n{images.table(theirs, ours)}")
    sizes = (f"{file.name} {file.stat().st_size / (1 << 20):.1f}" for file in found.files())
    print(f"\nThe Go programs as files, MiB: {', '.join(sizes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
