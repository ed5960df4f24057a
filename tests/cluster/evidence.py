"""What is worth knowing of a cluster when a test has failed, written down before the next test changes it."""

import re
from pathlib import Path
from subprocess import TimeoutExpired

from furiosa_npu.kubelet.checkpoint import FILE_NAME
from tests.cluster.cluster import Cluster
from tests.cluster.commands import CommandFailed

_QUESTIONS = {
    "pods.txt": ("get", "pods", "--all-namespaces", "--output=wide"),
    "nodes.txt": ("describe", "nodes"),
    "pods-described.txt": ("describe", "pods", "--all-namespaces"),
    "events.txt": ("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"),
    "daemonsets.yaml": ("get", "daemonsets", "--all-namespaces", "--output=yaml"),
}


def collect(cluster: Cluster, test: str) -> Path:
    """Writes objects, events and logs of all pods into a folder of the run's logs, and says which."""
    folder = cluster.run.logs / re.sub(r"[^\w-]+", "_", test)
    folder.mkdir(exist_ok=True)
    for name, question in _QUESTIONS.items():
        (folder / name).write_text(_ask(cluster, *question))
    pods = _ask(
        cluster,
        "get",
        "pods",
        "--all-namespaces",
        "--output=jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {end}",
    )
    for namespace, name in re.findall(r"(?<!\S)([a-z0-9-]+)/([a-z0-9.-]+)(?!\S)", pods):  # or what went wrong
        log = ("logs", f"--namespace={namespace}", name, "--all-containers", "--tail=500")
        (folder / f"{namespace}-{name}.log").write_text(_ask(cluster, *log))
        (folder / f"{namespace}-{name}-previous.log").write_text(_ask(cluster, *log, "--previous"))
    for node in cluster.nodes:
        (folder / f"{node.name}-kubelet-tail.log").write_text(node.kubelet.tail(200))
        checkpoint = node.path(f"/var/lib/kubelet/device-plugins/{FILE_NAME}")
        if checkpoint.exists():
            (folder / f"{node.name}-checkpoint.json").write_text(checkpoint.read_text())
    return folder


def _ask(cluster: Cluster, *argv: str) -> str:
    try:
        return cluster.kubectl(*argv, deadline_seconds=30)
    except (CommandFailed, TimeoutExpired) as failure:
        return str(failure)
