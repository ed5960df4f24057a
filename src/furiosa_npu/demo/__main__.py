"""`furiosa-npu-demo`: simulated NPUs, a kubelet in this process, the real device plugin; ends with what a pod sees."""

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from furiosa_npu import __version__
from furiosa_npu.demo.node import Node
from furiosa_npu.demo.story import StepFailed, Story
from furiosa_npu.simulator import parse_scenario

SCENARIO = """\
cards:
  - {family: warboy, pci_bdf: "0000:01:00.0", numa_node: 0}
  - {family: warboy, pci_bdf: "0000:02:00.0", numa_node: 1}
"""

DESCRIPTION = (
    "Two simulated NPUs, a kubelet in this process that speaks the real protocol, and the real device plugin: how pods "
    "come to NPUs and what they see. Needs no cluster, no NPU and no root, and works in a temporary folder that goes."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every step happened as it must; 1: one did not, and it is said which."""
    parser = argparse.ArgumentParser(prog="furiosa-npu-demo", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"furiosa-npu-demo {__version__}")
    parser.parse_args(arguments)
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="npu-", dir=_short_folder()) as folder:
            try:
                asyncio.run(_tell(folder))
            except (StepFailed, TimeoutError, subprocess.CalledProcessError) as error:
                _complain(error, f"{folder}/agents.log")
                return 1
        _say(f"\nAll of it in {time.monotonic() - started:.1f} s; nothing is left behind.")
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("furiosa-npu-demo: stopped; nothing is left behind", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"furiosa-npu-demo: {error}", file=sys.stderr)
        return 1
    return 0


def _short_folder() -> str:
    """Where temporary folders are made. A unix socket's path holds 107 bytes, of which the demo's own need 60."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) <= 107 - 60 else "/tmp"  # noqa: S108 - a folder of our own is made in it


async def _tell(folder: str) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - asyncio.run made it
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with Node(folder, parse_scenario(SCENARIO, "the demo's scenario")) as node:
        await Story(node, _say).tell()


def _say(line: str) -> None:
    sys.stdout.buffer.write(f"{line}\n".encode())  # UTF-8, whatever the locale: furiosactl prints a degree sign
    sys.stdout.buffer.flush()


def _complain(error: Exception, log: str) -> None:
    print(f"furiosa-npu-demo: {error}", file=sys.stderr)
    if isinstance(error, subprocess.CalledProcessError):
        print(error.stdout.decode(errors="replace"), file=sys.stderr)
    with contextlib.suppress(FileNotFoundError), open(log, encoding="utf-8") as file:
        print("what plugin and simulator said:", *file.read().splitlines()[-20:], sep="\n  ", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
