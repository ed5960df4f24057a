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
from tests.cluster.releases import Release
from tests.cluster.runs import Run

T = TypeVar("T")
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
        outlives_us: bool = False,
    ) -> None:
        """`binaries`: folders with programs that need no building (binaries.py)."""
        self.release = release
        self._programs = program_folders(release, binaries)
        self.run = Run()
        self._hosts: list[Host] = []
        self._outlives_us = outlives_us
        try:
            self._start(names)
        except BaseException:
            self.close()
            raise

    def _start(self, names: Sequence[str]) -> None:
        with stage("hosts and network"):
            control_host = self._host("control-plane")
            network.lay_bridge(control_host)
            authority = Authority(self.run.folder / "certificates")
            self.control_plane = ControlPlane(control_host, authority, self.run.logs)
            self.control_plane.start()
            admin = authority.kubeconfig("admin", self.control_plane.server, "admin", "system:masters")
            self._kubectl = control_host.on_its_network(
                ["env", f"HOME={self.run.folder}", str(self._programs[0] / "kubectl"), f"--kubeconfig={admin}"]
            )
            self._write_kubectl()
            self.nodes = [self._node(name, number, len(names), authority) for number, name in enumerate(names)]
            self.run.record([host.holder for host in self._hosts])
        with stage("containerd, kubelets and images"):
            archives = (images.pause_archive(), images.ubuntu_archive())
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda node: self._start_containerd(node, archives), self.nodes))
        with stage("API server ready"):
            self.wait("the API server to be ready", lambda: self.kubectl("get", "--raw=/readyz") == "ok")
        with stage("nodes Ready"):
            self.wait("all nodes to be Ready", lambda: self.ready_nodes() == sorted(names), deadline_seconds=120)
            self.wait(
                "the default service account", lambda: self.kubectl("get", "serviceaccount", "default", "-o", "name")
            )

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

    def _start_containerd(self, node: Node, archives: Sequence[Path]) -> None:
        node.containerd.start()
        self.wait(f"containerd on {node.name}", lambda: node.run(["ctr", "version"]))
        node.kubelet.start()  # which ends for good where it finds no containerd
        for archive in archives:
            node.import_image(archive)

    def _write_kubectl(self) -> None:
        file = self.run.folder / "kubectl"
        file.write_text(f'#!/bin/sh\nexec {" ".join(self._kubectl)} "$@"\n')
        file.chmod(0o755)

    def kubectl(self, *argv: str, stdin: str | None = None, deadline_seconds: float = 120) -> str:
        """kubectl's standard output, as the cluster's administrator; raises CommandFailed."""
        return run([*self._kubectl, *argv], stdin=stdin, deadline_seconds=deadline_seconds)

    def get(self, *argv: str) -> Any:
        """An object or a list of objects as JSON says it."""
        return json.loads(self.kubectl("get", *argv, "--output=json"))

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

    def wait(self, what: str, look: Callable[[], T | None], deadline_seconds: float = 60) -> T:
        """The first true value of `look`, asked again and again.

        Raises NotInTime, with what was last seen or raised. A command that failed counts as "not yet".
        """
        deadline = time.monotonic() + deadline_seconds
        last: object = None
        while True:
            try:
                last = seen = look()
                if seen:
                    return seen
            except CommandFailed as failure:
                last = failure
            if time.monotonic() > deadline:
                raise NotInTime(f"waited {deadline_seconds:.0f} s for {what}; last seen: {last}")
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
