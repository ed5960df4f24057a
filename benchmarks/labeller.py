"""The node labeller as the image has it, once it has labelled its node at an API server over verified TLS."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.protocol.api_server import ApiServer, api_server, kubeconfig

from benchmarks.installation import IMAGES_ENVIRONMENT
from furiosa_npu.hardware.reading import Roots

NODE = "warboy-node01"


class Labeller:
    """A labeller that runs, and the API server that it has to itself."""

    def __init__(self, pid: int, server: ApiServer) -> None:
        self.pid = pid
        self.server = server


@contextmanager
def running(words: tuple[str, ...], roots: Roots, folder: Path) -> Iterator[Labeller]:
    """Started, and done with its first labels."""
    folder.mkdir()
    with api_server() as server, open(folder / "log", "ab") as log:
        server.nodes[NODE] = {}
        arguments = (
            *words,
            *("--node-name", NODE, "--kubeconfig", kubeconfig(folder, server.url), "--listen-address", "127.0.0.1:0"),
            *("--devfs-root", roots.devfs, "--sysfs-root", roots.sysfs),
        )
        environment = {"PATH": "/usr/bin:/bin"} | IMAGES_ENVIRONMENT
        with subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, stderr=log) as process:
            try:
                server.wait_for(2)
                yield Labeller(process.pid, server)
            finally:
                process.kill()
