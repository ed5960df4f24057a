"""Pods that ask for NPUs, as the tests write them."""

from collections.abc import Mapping, Sequence
from typing import Any

ALPHA = "alpha.furiosa.ai/npu"
PLAIN = "furiosa.ai/npu"
IMAGE = "ubuntu:focal"
LIVE = "trap 'exit 0' TERM; while :; do sleep 0.2; done"
"""ends at once when asked to: what waits for a pod's end waits for the kubelet alone"""


def container(name: str, npus: Mapping[str, int] | None = None, script: str = LIVE) -> dict[str, Any]:
    """A container that says which NPU it was given, then runs a script. `npus`: resource name to number."""
    return {
        "name": name,
        "image": IMAGE,
        "command": ["/bin/bash", "-c", f'echo "$NPU_DEVNAME"; {script}'],
        "resources": {"limits": {resource: str(count) for resource, count in (npus or {}).items()}},
    }


def pod(
    name: str, containers: Sequence[Mapping[str, Any]], node: str | None = None, first: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """A pod; `node` pins it by selector, so that the scheduler has its say; `first`: init containers."""
    spec: dict[str, Any] = {
        "containers": list(containers),
        "initContainers": list(first),
        "terminationGracePeriodSeconds": 2,
        "restartPolicy": "Never",
        "nodeSelector": {"alpha.furiosa.ai/npu.family": "warboy"},
    }
    if node is not None:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def npu_pod(name: str, npus: Mapping[str, int], node: str | None = None) -> dict[str, Any]:
    """A pod of one container that lives until it is deleted."""
    return pod(name, [container("linux", npus)], node)


def job(name: str, of: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    """A Job of pods like this one."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": of["spec"]}, **spec},
    }
