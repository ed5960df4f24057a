"""The cluster as tests see it: kubectl, nodes, and waiting for what is really so."""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster import cgroups, images, network
from tests.cluster.binaries import program_folders
from tests.cluster.cache import say
from tests.cluster.certificates import Authority
from tests.cluster.commands import CommandFailed, run
from tests.cluster.control_plane import ControlPlane
from tests.cluster.hosts import Host
from tests.cluster.node import Node
from tests.cluster.pods import npu_pod
from tests.cluster.releases import Release
from tests.cluster.runs import Run

T = TypeVar("T")
PATIENCE_SECONDS = 300.0
"""for what comes by itself, or is told by a command: no claim about time, which benchmarks measure"""
NODE_NAMES = ("warboy-node01", "warboy-node02", "plain-node01")


class NotInTime(AssertionError):
    """What was waited for did not come; the message says what was last seen."""


class Cluster:
    """A running cluster. Made by `up`, ended by `close`."""

    def __init__(
        self,
        release: Release,
        binaries: Sequence[Path] = (),
        names: Sequence[str] = NODE_NAMES,
        *,
        closed_gates: Sequence[str] = (),
        outlives_us: bool = False,
    ) -> None:
        """`binaries`: folders with programs that need no building (binaries.py); `closed_gates`: feature gates that
        the control plane has shut.
        """
        self.release = release
        self._programs = program_folders(release, binaries)
        self.run = Run()
        self._hosts: list[Host] = []
        self._outlives_us = outlives_us
        try:
            self._start(names, closed_gates)
        except BaseException:
            self.close()
            raise

    def _start(self, names: Sequence[str], closed_gates: Sequence[str]) -> None:
        with stage("hosts and network"):
            control_host = self._host("control-plane")
            network.lay_bridge(control_host)
            authority = Authority(self.run.folder / "certificates")
            self.control_plane = ControlPlane(control_host, authority, self.run.logs, closed_gates)
            self.control_plane.start()
            self._admin = authority.kubeconfig("admin", self.control_plane.server, "admin", "system:masters")
            self._kubectl = self.as_administrator(self._programs[0] / "kubectl")
            self.write_command("kubectl", self._kubectl)
            self.nodes = [self._node(name, number, len(names), authority) for number, name in enumerate(names)]
            self.run.record([host.holder for host in self._hosts])
        with stage("containerd, kubelets and images"):
            archives = (images.pause_archive(), images.ubuntu_archive())
            with ThreadPoolExecutor() as pool:
                controllers = pool.submit(self._start_controllers)
                list(pool.map(lambda node: self._start_containerd(node, archives), self.nodes))
                controllers.result()
        with stage("nodes Ready"):
            self.wait("all nodes to be Ready", lambda: self.ready_nodes() == sorted(names))
            self.wait("pods to be taken", self._takes_pods)

    def _host(self, name: str) -> Host:
        host = Host(
            name, self.run.folder / "hosts" / name, self.run.lock, self._programs, outlives_us=self._outlives_us
        )
        self._hosts.append(host)
        return host

    def _node(self, name: str, number: int, count: int, authority: Authority) -> Node:
        host = self._host(name)
        network.connect(self._hosts[0], host, number, range(count))
        cgroup = f"{self.run.cgroup}/{name}"
        cgroups.make(cgroup)
        return Node(host, number, self.release, authority, self.control_plane.server, cgroup, self.run.logs)

    def _start_controllers(self) -> None:
        self.wait("the API server to be ready", lambda: self.kubectl("get", "--raw=/readyz") == "ok")
        self.control_plane.start_controllers()

    def _takes_pods(self) -> str:
        """It takes none before there are the default service account and, in 1.20, that account's token."""
        tried = npu_pod("tried", {})
        return self.kubectl("create", "--dry-run=server", "--output=name", "--filename=-", stdin=json.dumps(tried))

    def _start_containerd(self, node: Node, archives: Sequence[Path]) -> None:
        node.containerd.start()
        self.wait(f"containerd on {node.name}", lambda: node.run(["ctr", "version"]))
        node.kubelet.start()  # which ends for good where it finds no containerd
        for archive in archives:
            node.import_image(archive)

    def write_command(self, name: str, words: Sequence[str]) -> None:
        """A file of the run's folder that runs these words, its own arguments after them."""
        file = self.run.folder / name
        file.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
        file.chmod(0o755)

    def as_administrator(self, program: Path) -> list[str]:
        """The words before the arguments of a program that takes `--kubeconfig`: kubectl, Helm."""
        words = ["env", f"HOME={self.run.folder}", str(program), f"--kubeconfig={self._admin}"]
        return self._hosts[0].on_its_network(words)

    def kubectl(self, *argv: str, stdin: str | None = None, deadline_seconds: float = PATIENCE_SECONDS) -> str:
        """kubectl's standard output, as the cluster's administrator; raises CommandFailed."""
        return run([*self._kubectl, *argv], stdin=stdin, deadline_seconds=deadline_seconds)

    def get(self, *argv: str) -> Any:
        """An object or a list of objects as JSON says it."""
        return json.loads(self.kubectl("get", *argv, "--output=json"))

    def get_raw(self, path: str) -> Any:
        """What the API server answers to a GET, of JSON."""
        return json.loads(self.kubectl("get", f"--raw={path}"))

    def ready_nodes(self) -> list[str]:
        """Names of the nodes whose condition Ready is True."""
        return sorted(
            node["metadata"]["name"]
            for node in self.get("nodes")["items"]
            if any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])
        )

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def load(self, archive: Path) -> None:
        """Imports an image on every node."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.import_image(archive), self.nodes))

    def wait(self, what: str, look: Callable[[], T | None]) -> T:
        """The first true value of `look`, asked again and again for as long as the slowest machine may need.

        Raises NotInTime, with what was last seen or raised. A command that failed counts as "not yet", and so does
        what `look` does not find in an answer (KeyError, IndexError).
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        last: object = None
        while True:
            try:
                last = seen = look()
                if seen:
                    return seen
            except CommandFailed as failure:
                last = failure
            except LookupError as missing:
                last = repr(missing)
            if time.monotonic() > deadline:
                raise NotInTime(f"waited {PATIENCE_SECONDS:.0f} s for {what}; last seen: {last}")
            time.sleep(0.2)

    def close(self) -> None:
        """Ends all of it; the logs stay."""
        for host in self._hosts:
            host.close()
        self.run.close()


class stage:
    """Prints how long something took."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        say(f"{self._name}: {time.monotonic() - self._started:.1f} s")
