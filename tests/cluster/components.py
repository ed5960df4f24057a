"""The shipped components' lists of JSON patch operations, given to objects of a cluster as `kubectl patch` does it."""

import json
from typing import Any

import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.product import REPOSITORY, is_seen

COMPONENTS = REPOSITORY / "kubernetes/components"
_IN_SYSTEM = "--namespace=kube-system"


def operations(component: str, file: str) -> list[dict[str, Any]]:
    """E.g. of `more-labels`, `labeller.yaml`."""
    found: list[dict[str, Any]] = yaml.safe_load((COMPONENTS / component / file).read_text())
    return found


def patch(cluster: Cluster, kind: str, name: str, told: list[dict[str, Any]]) -> None:
    """Of an object in kube-system, or in no namespace."""
    cluster.kubectl("patch", _IN_SYSTEM, kind, name, "--type=json", f"--patch={json.dumps(told)}")


def take_back(cluster: Cluster, daemon_set: str) -> None:
    """The DaemonSet as it was before its last change."""
    cluster.kubectl("rollout", "undo", _IN_SYSTEM, f"daemonset/{daemon_set}")


def renew(cluster: Cluster, daemon_set: str) -> None:
    """All its pods at once, not one node after the other; others come, for whoever waits for what they do.

    Of the newest template: a controller that has not seen it yet would make them of the one before.
    """
    cluster.wait(f"the controller to have seen {daemon_set}", lambda: is_seen(cluster, daemon_set))
    selector = f"--selector=app.kubernetes.io/name={daemon_set}"
    cluster.kubectl("delete", "pods", _IN_SYSTEM, selector, "--wait=false")


def until_renewed(cluster: Cluster, daemon_set: str) -> None:
    """Returns when no pod of an earlier template is there, and all are Ready."""
    cluster.kubectl("rollout", "status", _IN_SYSTEM, f"daemonset/{daemon_set}")
