"""kubernetes/overlays/see-holders as kubectl 1.20 renders it."""

import copy
from typing import Any

import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.product import DEPLOYMENTS, REPOSITORY

OVERLAY = REPOSITORY / "kubernetes/overlays/see-holders"

Objects = dict[tuple[str, str], dict[str, Any]]


def _by_name(text: str) -> Objects:
    return {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(text)}


def test_the_overlay_is_the_shipped_manifests_with_eyes_for_processes(cluster: Cluster) -> None:
    """Both plugins gain hostPID, two capabilities and AppArmor's absence; all else is as shipped, `drop: ALL` too."""
    rendered = _by_name(cluster.kubectl("kustomize", str(OVERLAY)))
    expected = copy.deepcopy(_by_name(cluster.kubectl("kustomize", str(DEPLOYMENTS))))
    for (kind, name), found in expected.items():
        if kind == "DaemonSet" and name.startswith("furiosa-npu-plugin"):
            template = found["spec"]["template"]
            template["metadata"]["annotations"] = {
                "container.apparmor.security.beta.kubernetes.io/plugin": "unconfined"
            }
            template["spec"]["hostPID"] = True
            capabilities = template["spec"]["containers"][0]["securityContext"]["capabilities"]
            capabilities["add"] = ["SYS_PTRACE", "DAC_READ_SEARCH"]
            assert capabilities["drop"] == ["ALL"]
    assert rendered == expected
    cluster.kubectl("apply", "--dry-run=server", f"--kustomize={OVERLAY}")
