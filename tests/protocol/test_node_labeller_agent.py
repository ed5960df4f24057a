"""The labeller's own process against an API server on loopback and a driver tree of plain files."""

import http.client
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from furiosa_npu.node_labeller.labels import FAMILY_LABEL, HWTYPE_LABEL
from tests.protocol.api_server import ApiServer, api_server, kubeconfig
from tests.protocol.plugin_node import free_port

PATIENCE = 60.0
"""seconds that are never waited for: what comes has come long before"""
WARBOY_FILES = ("npu0", "npu0_mgmt", "npu0pe0", "npu0pe1", "npu0pe0-1", "npu0ch0", "npu0ch1", "npu0ch2", "npu0ch3")


class Tree:
    """A devfs and a sysfs root under a folder."""

    def __init__(self, folder: Path) -> None:
        self.devfs, self.sysfs = folder / "dev", folder / "sys"
        self.devfs.mkdir()
        self.sysfs.mkdir()

    def add_warboy(self, index: int = 0, platform_type: str = "HAPS") -> None:
        """The management folder first, as the driver does it, then the device files."""
        management = self.sysfs / f"class/npu_mgmt/npu{index}_mgmt"
        management.mkdir(parents=True)
        facts = {
            "platform_type": platform_type,
            "device_type": "Warboy",
            "dev": f"509:{index}",
            "busname": f"0000:0{index + 1}:00.0",
        }
        for name, text in facts.items():
            (management / name).write_text(text + "\n")
        for name in WARBOY_FILES:
            (self.devfs / name.replace("npu0", f"npu{index}", 1)).touch()

    def unload_driver(self, index: int = 0) -> None:
        for name in WARBOY_FILES:
            (self.devfs / name.replace("npu0", f"npu{index}", 1)).unlink(missing_ok=True)
        management = self.sysfs / f"class/npu_mgmt/npu{index}_mgmt"
        for file in management.iterdir():
            file.unlink()
        management.rmdir()

    def add_pci_device(self) -> None:
        folder = self.sysfs / "bus/pci/devices/0000:01:00.0"
        folder.mkdir(parents=True)
        for name, text in {"vendor": "0x1ed2", "class": "0x120000", "device": "0x0000"}.items():
            (folder / name).write_text(text + "\n")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """An empty tree: a node without NPUs."""
    return Tree(tmp_path)


class Running:
    """A labeller process and what it logs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.port = 0
        self.lines: list[str] = []
        self._unread = b""

    def log_until(self, text: str) -> str:
        """The first line from now on that has `text` in it, waited for no longer than PATIENCE."""
        assert self.process.stderr is not None
        while True:
            line, end, rest = self._unread.partition(b"\n")
            if end:
                self._unread = rest
                self.lines.append(line.decode())
                if text in self.lines[-1]:
                    return self.lines[-1]
                continue
            assert select.select([self.process.stderr], [], [], PATIENCE)[0], f"no {text!r}: {self.lines}"
            data = os.read(self.process.stderr.fileno(), 65536)
            assert data, f"the log ended without {text!r}: {self.lines}"
            self._unread += data

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def _labeller(tree: Tree, config: str, *options: str) -> Iterator[Running]:
    command = [sys.executable, "-I", "-m", "furiosa_npu.node_labeller", "--node-name", "n1", "--kubeconfig", config]
    command += ["--devfs-root", str(tree.devfs), "--sysfs-root", str(tree.sysfs), "--listen-address=127.0.0.1:0"]
    command += ["--start-jitter-seconds=0"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, bufsize=0) as process:
        running = Running(process)
        try:
            running.port = int(running.log_until("started").rpartition("127.0.0.1:")[2].strip('"}'))
            yield running
        finally:
            process.kill()


def _labels(server: ApiServer) -> dict[str, str]:
    return dict(server.nodes["n1"])


def test_a_node_is_labelled_at_start(tree: Tree, tmp_path: Path) -> None:
    """One GET, one patch with both labels as in the document; ready then, and the metrics show it."""
    tree.add_warboy()
    with api_server() as server:
        server.nodes["n1"] = {"kept": "1"}
        with _labeller(tree, kubeconfig(tmp_path, server.url)) as labeller:
            seen = server.wait_for(2)
            labeller.log_until("label written")
            labeller.log_until("label written")
            assert [request.method for request in seen] == ["GET", "PATCH"]
            assert seen[1].body == {"metadata": {"labels": {FAMILY_LABEL: "warboy", HWTYPE_LABEL: "haps"}}}
            assert _labels(server) == {"kept": "1", FAMILY_LABEL: "warboy", HWTYPE_LABEL: "haps"}
            assert labeller.get("/livez") == (200, "ok\n")
            assert labeller.get("/readyz") == (200, "ok\n")
            assert 'furiosa_npu_labeller_cards{family="warboy",hwtype="haps"} 1\n' in labeller.get("/metrics")[1]
            assert labeller.stop() == 0
        assert len(server.seen) == 2


def test_a_restart_on_a_labelled_node_writes_nothing(tree: Tree, tmp_path: Path) -> None:
    """A labeller's upgrade: one GET, no patch, and its stop keeps the labels."""
    tree.add_warboy()
    labelled = {FAMILY_LABEL: "warboy", HWTYPE_LABEL: "haps"}
    with api_server() as server:
        server.nodes["n1"] = dict(labelled)
        for count in (1, 2):
            with _labeller(tree, kubeconfig(tmp_path, server.url)) as labeller:
                server.wait_for(count)
                labeller.log_until("the node's labels are as wanted")
                assert labeller.stop() == 0
        assert ([request.method for request in server.seen], _labels(server)) == (["GET", "GET"], labelled)


def test_a_device_that_appears_is_labelled_at_once(tree: Tree, tmp_path: Path) -> None:
    """Seen by its event, long before the re-scan; its twenty files make one patch."""
    with api_server() as server:
        server.nodes["n1"] = {}
        with _labeller(tree, kubeconfig(tmp_path, server.url), "--rescan-seconds", "86400") as labeller:
            server.wait_for(1)
            tree.add_warboy(platform_type="VITIS")
            seen = server.wait_for(2)
            labeller.log_until("label written")
            assert [request.method for request in seen] == ["GET", "PATCH"]
            assert _labels(server) == {FAMILY_LABEL: "warboy", HWTYPE_LABEL: "u250"}
            assert labeller.stop() == 0


def test_an_unloaded_driver_keeps_the_labels(tree: Tree, tmp_path: Path) -> None:
    """Device files and management folder go, the PCI device stays: no patch, and ready."""
    tree.add_warboy()
    tree.add_pci_device()
    labelled = {FAMILY_LABEL: "warboy", HWTYPE_LABEL: "haps"}
    with api_server() as server:
        server.nodes["n1"] = dict(labelled)
        with _labeller(tree, kubeconfig(tmp_path, server.url)) as labeller:
            labeller.log_until("the node's labels are as wanted")
            tree.unload_driver()
            labeller.log_until("hardware type not known")
            assert (len(server.seen), _labels(server), labeller.get("/readyz")) == (1, labelled, (200, "ok\n"))
            assert labeller.stop() == 0


def test_a_sysfs_root_that_is_not_there_keeps_the_labels_and_is_not_ready(tree: Tree, tmp_path: Path) -> None:
    """A failed detection is no news; readiness names it."""
    tree.sysfs.rmdir()
    labelled = {FAMILY_LABEL: "warboy", HWTYPE_LABEL: "haps"}
    with api_server() as server:
        server.nodes["n1"] = dict(labelled)
        with _labeller(tree, kubeconfig(tmp_path, server.url), "--rescan-seconds", "1") as labeller:
            labeller.log_until("the node's labels are as wanted")
            status, body = labeller.get("/readyz")
            assert (status, body.startswith("scan: "), str(tree.sysfs) in body) == (503, True, True)
            assert (labeller.get("/livez")[0], len(server.seen), _labels(server)) == (200, 1, labelled)
            assert labeller.stop() == 0


def test_an_api_server_that_comes_back_is_written_to(tree: Tree, tmp_path: Path) -> None:
    """Away at the start: alive, not ready, the reason named; back: labelled by a retry."""
    tree.add_warboy()
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    with _labeller(tree, kubeconfig(tmp_path, url)) as labeller:
        labeller.log_until("labels not written")
        status, body = labeller.get("/readyz")
        assert status == 503
        assert body == f"labels: {url}: cannot connect (Connection refused): is the API server away?\n"
        back = ApiServer(port=port)
        try:
            back.nodes["n1"] = {}
            back.wait_for(2)
            labeller.log_until("the API server answers")
            labeller.log_until("label written")
        finally:
            back.close()
        assert _labels(back)[FAMILY_LABEL] == "warboy"
        assert labeller.stop() == 0


def test_a_missing_right_is_named(tree: Tree, tmp_path: Path) -> None:
    """In the log and in readiness: which right, of whom, and where it is given."""
    tree.add_warboy()
    message = 'nodes "n1" is forbidden: User "system:serviceaccount:kube-system:l" cannot patch resource "nodes"'
    with api_server() as server:
        server.nodes["n1"] = {}
        server.answers["PATCH"] = (403, {"kind": "Status", "message": message})
        with _labeller(tree, kubeconfig(tmp_path, server.url), "--log-format", "json") as labeller:
            line = labeller.log_until("labels not written")
            assert "the right to patch nodes is missing (ClusterRole and its binding)" in line
            assert message in labeller.get("/readyz")[1]
            assert 'label_writes_total{outcome="failure"} 1' in labeller.get("/metrics")[1]
            assert labeller.stop() == 0


def test_sigterm_ends_it_at_once_even_while_the_api_server_is_silent(tree: Tree, tmp_path: Path) -> None:
    """Exit code 0 promptly, and the child that waits for an answer goes with it."""
    tree.add_warboy()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with _labeller(tree, kubeconfig(tmp_path, url)) as labeller:
            silent.settimeout(PATIENCE)
            connection, _ = silent.accept()
            assert labeller.stop() == 0
            connection.settimeout(PATIENCE)
            while connection.recv(4096):
                pass
            connection.close()


def test_a_devfs_root_that_comes_later_is_found_and_watched(tree: Tree, tmp_path: Path) -> None:
    """Not there: not ready, the labels stay. There: what appears in it is seen by its event."""
    tree.devfs.rmdir()
    with api_server() as server:
        server.nodes["n1"] = {}
        with _labeller(tree, kubeconfig(tmp_path, server.url), "--rescan-seconds", "1") as labeller:
            labeller.log_until("a look at the NPUs failed")
            status, body = labeller.get("/readyz")
            assert (status, f"scan: {tree.devfs}: found No such file or directory" in body) == (503, True)
            tree.devfs.mkdir()
            labeller.log_until("looks at the NPUs succeed again")
            tree.add_warboy()
            server.wait_for(2)
            assert labeller.stop() == 0


def _run(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-m", "furiosa_npu.node_labeller", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment or {})


def test_cleanup_removes_both_labels_and_says_so(tree: Tree, tmp_path: Path) -> None:
    """Exit code 0, also where there is nothing to remove; no other label is touched."""
    with api_server() as server:
        server.nodes["n1"] = {"kept": "1", FAMILY_LABEL: "warboy", HWTYPE_LABEL: "haps"}
        config = kubeconfig(tmp_path, server.url)
        first = _run("cleanup", "--kubeconfig", config, environment={"NODE_NAME": "n1"})
        second = _run("--kubeconfig", config, "cleanup", environment={"K8S_NODE_NAME": "n1"})
        assert (first.returncode, first.stdout, first.stderr) == (
            0,
            f"removed {FAMILY_LABEL}=warboy from node n1\nremoved {HWTYPE_LABEL}=haps from node n1\n",
            "",
        )
        assert (second.returncode, second.stdout) == (
            0,
            f"node n1 has neither {FAMILY_LABEL} nor {HWTYPE_LABEL}: nothing to remove\n",
        )
        assert (_labels(server), [seen.method for seen in server.seen]) == ({"kept": "1"}, ["GET", "PATCH", "GET"])


def test_more_labels_come_and_go_with_their_option(tree: Tree, tmp_path: Path) -> None:
    """What an earlier start was asked for is removed by one that is not; another agent's label stays; cleanup takes
    the rest.
    """
    tree.add_warboy()
    count, partitions = "furiosa.ai/npu.count", "furiosa.ai/npu-1pe.count"
    with api_server() as server:
        server.nodes["n1"] = {"furiosa.ai/npu.product": "theirs"}
        config = kubeconfig(tmp_path, server.url)
        told: list[dict[str, str]] = []
        for options in (("--labels", "count,partitions"), ("--labels", "count"), ()):
            with _labeller(tree, config, *options) as labeller:
                labeller.log_until("label removed" if told else "label written")
                told.append({name: value for name, value in _labels(server).items() if name.startswith("furiosa.ai/")})
                assert labeller.stop() == 0
        theirs = {"furiosa.ai/npu.product": "theirs"}
        assert told == [theirs | {count: "1", partitions: "2"}, theirs | {count: "1"}, theirs]
        with _labeller(tree, config, "--labels=all") as labeller:
            labeller.log_until("label written")
        done = _run("cleanup", "--node-name=n1", "--kubeconfig", config)
        assert (done.returncode, _labels(server)) == (0, theirs)


def test_labels_for_node_feature_discovery_go_into_a_file_and_to_no_api_server(tree: Tree, tmp_path: Path) -> None:
    """None is there: neither kubeconfig nor node. What the hardware does is followed, and cleanup takes the file."""
    tree.add_warboy()
    features = tmp_path / "features.d"
    features.mkdir()
    options = ("--publish=features.d", f"--features-dir={features}")
    with _labeller(tree, f"{tmp_path}/none", *options) as labeller:
        labeller.log_until("label written")
        labeller.log_until("label written")
        lines = (features / "furiosa-npu").read_text().splitlines()[1:]
        assert (lines, labeller.get("/readyz")) == ([f"{FAMILY_LABEL}=warboy", f"{HWTYPE_LABEL}=haps"], (200, "ok\n"))
        assert labeller.stop() == 0
    assert _run("cleanup", *options).returncode == 0
    assert list(features.iterdir()) == []


def test_cleanup_that_fails_says_why_with_1(tmp_path: Path) -> None:
    """A node of another name."""
    with api_server() as server:
        done = _run("cleanup", "--node-name", "n2", "--kubeconfig", kubeconfig(tmp_path, server.url))
    reason = 'the API server answered 404 (nodes "n2" not found): nothing of that name there; is the name right?'
    message = f"furiosa-npu-labeller: labels not removed from node n2: GET /api/v1/nodes/n2: {reason}\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--kubeconfig", "k"),
            "--node-name (environment variable NODE_NAME): found nothing, expected a node's name: ",
        ),
        (("--node-name", "A/b", "--kubeconfig", "k"), "--node-name (environment variable NODE_NAME): found 'A/b', exp"),
        (
            ("--node-name", "n1"),
            "found no cluster around this process, expected --kubeconfig FILE (or to run in a pod)",
        ),
        (("--silicon-hwtype", "a b"), "--silicon-hwtype: found 'a b', expected a label value: up to 63 of "),
        (("clean",), "found the word 'clean', expected cleanup or an option"),
    ],
)
def test_wrong_use_ends_with_2(arguments: tuple[str, ...], message: str) -> None:
    """One sentence on stderr."""
    done = _run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"furiosa-npu-labeller: {message}")


def test_an_address_in_use_ends_with_1(tree: Tree, tmp_path: Path) -> None:
    """The log names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = _run("--node-name=n1", "--kubeconfig=k", f"--listen-address={address}")
    assert done.returncode == 1
    assert f'error cannot listen address={address} reason="Address already in use"' in done.stderr
