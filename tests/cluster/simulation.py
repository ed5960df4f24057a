"""Simulated NPUs on a node: the product's simulator, run where the shipped overlay looks for the trees."""

import sys
from pathlib import Path

from tests.cluster.hosts import Program
from tests.cluster.node import Node

FOLDER = "/run/furiosa-sim"
_COMMAND = [sys.executable, "-I", "-m", "furiosa_npu.simulator"]


class Simulation:
    """A tree of simulated cards on one node, alive until `stop`."""

    def __init__(self, node: Node, scenario: Path, logs: Path) -> None:
        self._node = node
        self.tell("create", str(scenario))
        self.living = Program(node.host, "simulator", [*_COMMAND, "run", FOLDER], logs / f"{node.name}-simulator.log")
        self.living.start()

    def mount(self, mountpoint: str, logs: Path) -> None:
        """Serves the tree's sysfs at a folder of the node too, where its files can also hang and fail."""
        self._node.shell(f"mkdir {mountpoint}; mknod -m 600 /dev/fuse c 10 229")
        words = [*_COMMAND, "mount", FOLDER, mountpoint, "--allow-other"]
        self.mounted = Program(self._node.host, "mount", words, logs / f"{self._node.name}-mount.log")
        self.mounted.start()

    def tell(self, command: str, *words: str) -> str:
        """`furiosa-npu-simulator COMMAND FOLDER WORDS...`, e.g. `tell("fail", "npu0")`; what it printed."""
        return self._node.run([*_COMMAND, command, FOLDER, *words])

    def stop(self) -> None:
        self.living.stop()
