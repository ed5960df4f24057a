"""Takes away what the agents left at the API server, and waits for nodes: the parts of an uninstallation that ask."""

from collections.abc import Callable
from typing import Any

from furiosa_npu.chart_hooks.lists import METADATA_OF_EACH, Unanswered, carry_out, listed
from furiosa_npu.chart_hooks.patience import Patience, Pod, is_so, pod_of
from furiosa_npu.chart_hooks.traces import (
    AGENTS,
    DELETE_HOOKS,
    NODES,
    OF_OUR_DRIVER,
    SWEEP,
    named,
    of_node_features,
    of_nodes,
    of_slices,
)
from furiosa_npu.cluster.api import ApiRequest, complaint
from furiosa_npu.cluster.blocking import Ask
from furiosa_npu.cluster.resource_slice_requests import SLICES
from furiosa_npu.node_labeller.node_feature import objects_of

Say = Callable[[str], None]


def sweep_cluster(ask: Ask, namespace: str, startup_taint: str, patience: Patience, say: Say) -> str | None:
    """Why something may be left; None: what the agents made at the API server is gone. Raises Unanswered.

    Nothing is removed while the agents are installed. One that still runs could write it anew; one on a node that is
    cut off is not waited for: its account and its rights are gone already.
    """
    installed = patience.outlast(lambda: _installed(ask, namespace))
    if installed:
        return (
            f"{', '.join(installed)}: DaemonSets of namespace {namespace} that are there: nothing was removed. Where a "
            f"chart was rendered and applied with its hooks: render it with --no-hooks, and {DELETE_HOOKS}. Where "
            "kubectl applied a manifest of the plane that the release did not have: 'kubectl delete -f' it, then "
            "install and uninstall again"
        )
    pods = f"/api/v1/namespaces/{namespace}/pods"
    left = patience.outwait(ask, lambda: [pod_of(pod) for pod in listed(ask, pods, named(AGENTS))])
    removals = [
        *of_node_features(listed(ask, objects_of(namespace), accept=METADATA_OF_EACH), namespace),
        *of_nodes(listed(ask, NODES), startup_taint),
        *of_slices(listed(ask, SLICES, OF_OUR_DRIVER, METADATA_OF_EACH)),
    ]
    carry_out(ask, [removal.request for removal in removals])
    for removal in removals:
        say(f"removed {removal.what}")
    for pod in left.cut_off:
        say(f"not waited for: {pod}, which is not Ready")
    if not left.stuck:
        return None
    return (
        f"agents that have not ended: {', '.join(map(str, left.stuck))}. Should one write again, remove with kubectl "
        "what it wrote: the labels alpha.furiosa.ai/npu.family and npu.hwtype, the condition FuriosaNPUHealthy"
    )


def _installed(ask: Ask, namespace: str) -> list[str]:
    """Agents' DaemonSets; not one that is being deleted (`--cascade=foreground`) and only waits for its pods to end."""
    requests = [ApiRequest("GET", f"{_daemon_sets(namespace)}/{name}") for name in AGENTS]
    found = []
    for name, request, answer in zip(AGENTS, requests, ask(requests), strict=True):
        reason = complaint(request, answer)
        if reason is None and not _is_being_deleted(answer.body):
            found.append(name)
        elif reason is not None and answer.status != 404:
            raise Unanswered(reason)
    return found


def await_nodes(ask: Ask, namespace: str, patience: Patience) -> str | None:
    """Which nodes have not been swept; None: all have. Raises Unanswered."""
    left = patience.outwait(ask, lambda: _unswept(ask, namespace))
    cut_off = sorted(f"{pod.node} (not Ready)" for pod in left.cut_off)
    stuck = sorted({pod.node or "nodes without a pod yet" for pod in left.stuck})
    if not cut_off and not stuck:
        return None
    return (
        f"not swept: {', '.join([*cut_off, *stuck])}. All else is removed, these nodes' labels, condition, taint and "
        "slices too. On their disks remove /var/lib/furiosa-npu, the files furiosa.ai-npu.json and "
        "npu.furiosa.ai-claim_* in /var/run/cdi, and /var/lib/kubelet/plugins/npu.furiosa.ai; or, once the nodes are "
        "Ready, install and uninstall again"
    )


def _unswept(ask: Ask, namespace: str) -> list[Pod]:
    """Pods that have not swept their nodes, and one without a name for those that are to come."""
    request = ApiRequest("GET", f"{_daemon_sets(namespace)}/{SWEEP}")
    (answer,) = ask([request])
    reason = complaint(request, answer)
    if reason is not None or not isinstance(answer.body, dict):
        raise Unanswered(reason or f"GET {request.path}: found {str(answer.body)[:80]}, expected a DaemonSet")
    status: dict[str, Any] = answer.body.get("status") or {}
    pods = list(listed(ask, f"/api/v1/namespaces/{namespace}/pods", named([SWEEP])))
    known = status.get("observedGeneration") == answer.body["metadata"].get("generation")
    to_come = not known or len(pods) < status.get("desiredNumberScheduled", 0)
    return [*(pod_of(pod) for pod in pods if not is_so(pod, "Initialized")), *([Pod("", "")] if to_come else [])]


def _daemon_sets(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/daemonsets"


def _is_being_deleted(found: object) -> bool:
    return isinstance(found, dict) and "deletionTimestamp" in (found.get("metadata") or {})
