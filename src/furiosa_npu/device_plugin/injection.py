"""How cards reach containers: as device files in the answer to the kubelet, or as CDI devices that it names."""

import re
from typing import Literal

from furiosa_npu.cluster.node import NodeInfo

Injection = Literal["auto", "device-specs", "cdi"]

INJECTIONS: tuple[Injection, ...] = ("auto", "device-specs", "cdi")

KUBELET = (1, 31)
"""The first whose `cdi_devices` no feature gate can turn off (KEP-4009); one before 1.28 drops them without a word."""

CONTAINERD = (2, 0)
"""The first that has CDI turned on as it comes."""

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:[.+-].*)?", re.ASCII)


def lack(node: NodeInfo) -> str | None:
    """Why CDI devices may not reach this node's containers; None: they do."""
    if not _is_at_least(node.kubelet_version.removeprefix("v"), KUBELET):
        return f"the node's kubeletVersion is {node.kubelet_version!r}, expected for CDI: v1.31 or newer"
    runtime, _, version = node.container_runtime_version.partition("://")
    if runtime != "containerd" or not _is_at_least(version.removeprefix("v"), CONTAINERD):
        found = node.container_runtime_version
        return f"the node's containerRuntimeVersion is {found!r}, expected for CDI: containerd://2.0 or newer"
    return None


def _is_at_least(version: str, least: tuple[int, int]) -> bool:
    found = _VERSION.fullmatch(version)
    return found is not None and (int(found[1]), int(found[2])) >= least
