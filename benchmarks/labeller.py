"""The node labeller at rest, after it has labelled its node at an API server over verified TLS."""

import subprocess
import time
from pathlib import Path

from tests.protocol.api_server import api_server, kubeconfig

from benchmarks.process_figures import Memory, Work, memory, work_a_minute
from furiosa_npu.hardware.reading import Roots

NODE = "warboy-node01"
SECONDS_TO_SETTLE = 10.0


def measure(words: tuple[str, ...], roots: Roots, idle_seconds: float, folder: Path) -> tuple[Memory, Work]:
    """Its memory, and its work in a minute of idleness."""
    with api_server() as server, open(folder / "labeller.log", "ab") as log:
        server.nodes[NODE] = {}
        arguments = (
            *words,
            *("--node-name", NODE, "--kubeconfig", kubeconfig(folder, server.url), "--listen-address", "127.0.0.1:0"),
            *("--devfs-root", roots.devfs, "--sysfs-root", roots.sysfs),
        )
        environment = {"PATH": "/usr/bin:/bin"}
        with subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, stderr=log) as process:
            try:
                server.wait_for(2)
                time.sleep(SECONDS_TO_SETTLE)
                (idle,) = work_a_minute([process.pid], idle_seconds)
                return memory(process.pid), idle
            finally:
                process.kill()
