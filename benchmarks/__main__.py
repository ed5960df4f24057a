"""Measures and prints; `scripts/bench` starts it as root in a mount namespace of its own."""

import asyncio
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks import labeller, plugins
from benchmarks.installation import Installation
from benchmarks.sample_plugin import DEVICES, RESOURCE, sample_plugin
from benchmarks.table import table
from furiosa_npu.simulator import Simulation, parse_scenario

STARTS = 9
IDLE_SECONDS = 30.0
LABELLER_IDLE_SECONDS = 60.0
"""one re-scan falls into it"""


def main() -> int:
    program = sample_plugin()
    Path(plugins.DEVICE_PLUGINS).mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="npu-", dir="/tmp") as name:
        folder = Path(name)
        installation = Installation(folder)
        scenario = "\n".join(["cards:", *["- {family: warboy}"] * DEVICES])
        roots = Simulation.create(str(folder / "sim"), parse_scenario(scenario)).roots
        both = (
            plugins.ours(installation.agent("device_plugin"), roots, folder),
            plugins.samples(program, RESOURCE),
        )
        _say(f"{STARTS} starts of each plugin in turn, then {IDLE_SECONDS:.0f} s of idleness side by side")
        ours, samples = asyncio.run(plugins.measure(both, DEVICES, STARTS, IDLE_SECONDS, folder))
        _say("the labeller at rest")
        resting = labeller.measure(installation.agent("node_labeller"), roots, LABELLER_IDLE_SECONDS, folder)
    print(
        f"\n{DEVICES} simulated Warboys, {os.cpu_count()} processors, Linux {platform.release()}, {platform.machine()}"
    )
    print(f"Python {platform.python_version()} -OO, sample plugin of Kubernetes 1.20.2 with {DEVICES} devices\n")
    print(table(ours, samples, resting))
    return 0


def _say(text: str) -> None:
    print(f"scripts/bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
