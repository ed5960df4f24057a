"""The command of the chart's hooks as a process, against an API server on loopback."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from furiosa_npu.node_labeller.labels import FAMILY_LABEL
from tests.protocol.api_server import api_server, kubeconfig

COMMAND = [sys.executable, "-I", "-m", "furiosa_npu.chart_hooks"]
PODS = "GET /api/v1/pods"
HOLDER = {
    "metadata": {"namespace": "ml", "name": "train"},
    "spec": {"nodeName": "n1", "containers": [{"resources": {"limits": {"furiosa.ai/npu": "2"}}}]},
}


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def test_a_pod_that_holds_cards_is_named_with_1(tmp_path: Path) -> None:
    """On standard error, with what to do; the API server is asked for pods that are on nodes and have not ended."""
    with api_server() as server:
        server.answers[PODS] = (200, {"metadata": {}, "items": [HOLDER]})
        done = _run("check", "--kubeconfig", kubeconfig(tmp_path, server.url))
    assert (done.returncode, done.stdout) == (1, "")
    said = "furiosa-npu-chart-hook: 1 pod holds NPUs, nothing was changed: ml/train on n1: 2 x furiosa.ai/npu. End "
    assert done.stderr.startswith(said)
    assert [seen.path.partition("&")[0] for seen in server.seen] == [
        "/apis/resource.k8s.io/v1/resourceclaims?limit=100",
        "/api/v1/pods?fieldSelector=spec.nodeName%21%3D%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed",
    ]


def test_a_pod_with_a_claim_on_a_node_that_the_driver_leaves_is_named_with_1(tmp_path: Path) -> None:
    """Of the nodes of the family that stays nothing is said."""

    def claim(name: str, node: str) -> dict[str, object]:
        devices = {"results": [{"driver": "npu.furiosa.ai", "pool": node}]}
        status = {"allocation": {"devices": devices}, "reservedFor": [{"resource": "pods", "name": name}]}
        return {"metadata": {"namespace": "ml", "name": name}, "status": status}

    nodes = [{"metadata": {"name": name, "labels": {FAMILY_LABEL: name}}} for name in ("warboy", "renegade")]
    with api_server() as server:
        claims = [claim("a", "warboy"), claim("b", "renegade")]
        server.answers["GET /apis/resource.k8s.io/v1/resourceclaims"] = (200, {"metadata": {}, "items": claims})
        server.answers["GET /api/v1/nodes?"] = (200, {"metadata": {}, "items": nodes})
        config = kubeconfig(tmp_path, server.url)
        of_one = _run("check-claims", "--family=renegade", "--kubeconfig", config)
        of_all = _run("check-claims", "--kubeconfig", config)
    assert (of_one.returncode, of_all.returncode) == (1, 1)
    said = "furiosa-npu-chart-hook: 1 pod holds NPUs, nothing was changed: ml/a on warboy: claim a. The value families "
    assert of_one.stderr.startswith(said)
    assert (
        "2 pods hold NPUs, nothing was changed: ml/a on warboy: claim a; ml/b on renegade: claim b. " in of_all.stderr
    )


def test_nobody_in_the_way_is_0(tmp_path: Path) -> None:
    """Without a word."""
    with api_server() as server:
        server.answers[PODS] = (200, {"metadata": {}, "items": []})
        done = _run("check", "--kubeconfig", kubeconfig(tmp_path, server.url))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_cannot_be_asked_counts_as_in_the_way(tmp_path: Path) -> None:
    """A right that is missing, and a server that is away."""
    with api_server() as server:
        server.answers[PODS] = (403, {"kind": "Status", "message": "pods is forbidden"})
        config = kubeconfig(tmp_path, server.url)
        forbidden = _run("check", "--kubeconfig", config)
    away = _run("check", "--kubeconfig", config)
    assert (forbidden.returncode, away.returncode) == (1, 1)
    assert "pods is forbidden): the right to list pods is missing" in forbidden.stderr
    assert "is the API server away?" in away.stderr


def test_the_cluster_is_swept_once_the_agents_have_ended(tmp_path: Path) -> None:
    """The label goes from the node that has it, and it is said."""
    with api_server() as server:
        server.nodes["n1"] = {"kept": "1", FAMILY_LABEL: "warboy"}
        server.answers["GET /api/v1/namespaces/npu/pods?"] = (200, {"metadata": {}, "items": []})
        node = {"metadata": {"name": "n1", "labels": {FAMILY_LABEL: "warboy"}}}
        server.answers["GET /api/v1/nodes?"] = (200, {"metadata": {}, "items": [node]})
        done = _run("sweep-cluster", "--kubeconfig", kubeconfig(tmp_path, server.url), POD_NAMESPACE="npu")
        assert (done.returncode, done.stdout) == (0, f"removed {FAMILY_LABEL} of node n1\n")
        assert server.nodes == {"n1": {"kept": "1"}}


def test_stay_ends_when_it_is_asked_to() -> None:
    """With 0; until then it waits."""
    with subprocess.Popen([*COMMAND, "stay"], env={}) as staying:
        deadline = time.monotonic() + 60
        while not _catches(staying.pid, signal.SIGTERM):
            assert staying.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(subprocess.TimeoutExpired):
            staying.wait(0.2)
        staying.send_signal(signal.SIGTERM)
        assert staying.wait(60) == 0


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal (proc(5), SigCgt)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (caught,) = (line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def test_a_folder_that_cannot_be_swept_is_named_with_1(tmp_path: Path) -> None:
    """A file in the folder's place."""
    (tmp_path / "cdi").touch()
    others = (f"--{name}-dir={tmp_path / 'none'}" for name in ("state", "kubelet", "features"))
    done = _run("sweep-node", f"--cdi-dir={tmp_path / 'cdi'}", *others)
    assert (done.returncode, done.stderr) == (
        1,
        f"furiosa-npu-chart-hook: {tmp_path / 'cdi'}: Not a directory: cannot be removed\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "found no subcommand, expected one of check, "),
        (("check",), "found no cluster around this process, expected --kubeconfig FILE (or to run in a pod)"),
        (("check", "--namespace", "A"), "--namespace: found 'A', expected a namespace's name"),
    ],
)
def test_wrong_use_ends_with_2(arguments: tuple[str, ...], message: str) -> None:
    """One sentence on standard error."""
    done = _run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"furiosa-npu-chart-hook: {message}")
