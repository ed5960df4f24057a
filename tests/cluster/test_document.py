"""The user's document, step by step, as its reader types it."""

import os
import pty
import subprocess
import threading

from tests.cluster.cluster import PATIENCE_SECONDS
from tests.cluster.product import DEPLOYMENTS, Product
from tests.cluster.workloads import Workloads

FURIOSACTL_HELP = """\
furiosactl controls the FURIOSA NPU.

Find more information at: https://furiosa.ai/

Basic Commands:
  version    Print the furiosactl version information
  list       Display NPU device list
  info       Show information one or many NPU(s)
  config     Get/Set configuration for NPU environment

Usage:
  furiosactl COMMAND
"""


def table(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_get_daemonset_shows_the_documents_rows(product: Product) -> None:
    """`kubectl get daemonset -n kube-system`: names, counts and node selectors."""
    header, *_ = table(product.cluster.kubectl("get", "daemonset", "-n", "kube-system"))
    assert header == ["NAME", "DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE", "SELECTOR", "AGE"]
    product.cluster.wait("the document's rows", lambda: daemonsets(product) == DOCUMENTED_ROWS)


DOCUMENTED_ROWS = [
    ["furiosa-npu-labeller", "3", "3", "3", "3", "3", "kubernetes.io/os=linux"],
    ["furiosa-npu-plugin", "2", "2", "2", "2", "2", "alpha.furiosa.ai/npu.family=warboy,kubernetes.io/os=linux"],
    [
        "furiosa-npu-plugin-renegade",
        *("0" * 5),
        "alpha.furiosa.ai/npu.family=renegade,kubernetes.io/os=linux",
    ],
]


def daemonsets(product: Product) -> list[list[str]]:
    """The table's rows without the last column, their age."""
    return [row[:-1] for row in table(product.cluster.kubectl("get", "daemonset", "-n", "kube-system"))[1:]]


def test_get_nodes_shows_the_labels(product: Product) -> None:
    """`kubectl get nodes --show-labels`: family and hwtype on the nodes with NPUs, nothing of ours on the other."""
    ours = {
        row[0]: {label for label in row[5].split(",") if "furiosa" in label}
        for row in table(product.cluster.kubectl("get", "nodes", "--show-labels"))[1:]
    }
    warboy = {"alpha.furiosa.ai/npu.family=warboy", "alpha.furiosa.ai/npu.hwtype=haps"}
    assert ours == {"warboy-node01": warboy, "warboy-node02": warboy, "plain-node01": set()}


def test_the_documents_pod_sees_its_npu(workloads: Workloads, product: Product) -> None:
    """npu-pod.yaml as shipped; `$NPU_DEVNAME`, `furiosactl` and `furiosactl info` in it, and they agree."""
    product.cluster.kubectl("apply", f"--filename={DEPLOYMENTS / 'npu-pod.yaml'}")
    workloads.wait_for("npu-pod", "Running")
    devname = workloads.exec("npu-pod", "/bin/bash", "-c", "echo $NPU_DEVNAME").strip()
    assert devname in ("npu0pe0-1", "npu1pe0-1")
    npu = devname.partition("pe")[0]
    assert workloads.exec("npu-pod", "furiosactl") == FURIOSACTL_HELP
    bdf, dev = identity_of(product, str(workloads.get("npu-pod")["spec"]["nodeName"]), npu)
    assert workloads.exec("npu-pod", "furiosactl", "info") == (
        "+------+------------------+-------+--------+--------------+---------+\n"
        "| NPU  | Name             | Temp. | Power  | PCI-BDF      | PCI-DEV |\n"
        "+------+------------------+-------+--------+--------------+---------+\n"
        f"| {npu} | FuriosaAI Warboy |  40°C | 1.37 W | {bdf} | {dev:7} |\n"
        "+------+------------------+-------+--------+--------------+---------+\n"
    )


def identity_of(product: Product, node: str, npu: str) -> tuple[str, str]:
    """PCI address and device number as the simulated driver's files say them."""
    folder = product.cluster.node(node).path(f"/run/furiosa-sim/sys/class/npu_mgmt/{npu}_mgmt")
    return (folder / "busname").read_text().strip(), (folder / "dev").read_text().strip()


def test_a_shell_on_a_terminal_sees_the_npu(workloads: Workloads, product: Product) -> None:
    """`kubectl exec npu-pod -it -- /bin/bash`, typed into a terminal."""
    product.cluster.kubectl("apply", f"--filename={DEPLOYMENTS / 'npu-pod.yaml'}")
    workloads.wait_for("npu-pod", "Running")
    said = typed(product, "echo $NPU_DEVNAME\nexit\n")
    assert "npu0pe0-1" in said or "npu1pe0-1" in said


def typed(product: Product, keys: str) -> str:
    """What a terminal shows while keys are typed into a shell in the pod."""
    ours, theirs = pty.openpty()
    argv = [str(product.cluster.run.folder / "kubectl"), "exec", "npu-pod", "-it", "--", "/bin/bash"]
    shell = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    hangs = threading.Timer(PATIENCE_SECONDS, shell.kill)
    hangs.start()
    os.close(theirs)
    os.write(ours, keys.encode())
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
    except OSError:  # EIO: the other end was closed (pty(7))
        pass
    os.close(ours)
    status = shell.wait()
    hangs.cancel()
    assert status == 0
    return seen.decode()
