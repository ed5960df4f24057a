"""A real API server of the newest Kubernetes over etcd, on loopback, for agents that run beside each other."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.commands import CommandFailed, run
from tests.protocol.plugin_node import free_port

from benchmarks.control_plane import ControlPlane
from benchmarks.running import running

SECONDS_TO_START = 90.0
SECONDS_TO_WRITE = 60.0
LOOK_SECONDS = 0.5


class Late(Exception):
    """What was waited for did not come; the message says what, and where the logs are."""


class KubeApiserver:
    """One that runs, with a kubeconfig of an administrator."""

    def __init__(self, kubectl: Path, kubeconfig: Path, logs: Path) -> None:
        self.kubeconfig = str(kubeconfig)
        self._kubectl = (str(kubectl), f"--kubeconfig={kubeconfig}")
        self._logs = logs

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Raises CommandFailed."""
        return run([*self._kubectl, *words], stdin=stdin)

    def add_node(self, name: str) -> None:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        self.kubectl("create", "--filename=-", stdin=json.dumps(node))

    def items(self, kind: str, *words: str) -> list[dict[str, Any]]:
        """The objects of a kind."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "--output=json", *words))["items"]
        return items

    def wait(self, what: str, holds: Callable[[], object], seconds: float = SECONDS_TO_WRITE) -> None:
        """Raises Late. What kubectl says meanwhile is taken for `not yet`."""
        said, until = "", time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if holds():
                    return
            except CommandFailed as problem:
                said = f": {problem}"
            time.sleep(LOOK_SECONDS)
        raise Late(f"{what}: not within {seconds:g} s (logs: {self._logs}){said}")


@contextmanager
def kube_apiserver(folder: Path) -> Iterator[KubeApiserver]:
    """It answers, and has nothing but its own objects; `folder`, which is made, holds all that it writes."""
    folder.mkdir()
    plane = ControlPlane(folder, free_port())
    server = KubeApiserver(plane.kubectl, plane.kubeconfig, folder)
    with running(plane.etcd, folder), running(plane.kube_apiserver, folder):
        server.wait("the API server is ready", lambda: server.kubectl("get", "--raw=/readyz"), SECONDS_TO_START)
        yield server
