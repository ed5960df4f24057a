"""What the agents' containers may do, as docs/security.md has it: tables that tries from inside are held against."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from furiosa_npu.cluster.api import SERVICE_ACCOUNT
from tests.cluster.chaos.processes import find_agent
from tests.cluster.cluster import Cluster

PLUGIN, LABELLER, DRA_DRIVER = "furiosa-npu-plugin", "furiosa-npu-labeller", "furiosa-npu-dra-driver"
USERS = {PLUGIN: "0", LABELLER: "65534", DRA_DRIVER: "0"}

WRITABLE = {
    PLUGIN: {"/var/lib/kubelet/device-plugins", "/var/lib/furiosa-npu", "/run/cdi"},
    LABELLER: set[str](),
    DRA_DRIVER: {
        *("/var/lib/kubelet/plugins_registry", "/var/lib/kubelet/plugins"),
        *("/var/lib/furiosa-npu", "/run/cdi"),
    },
}
"""the mounts that the manifests name for writing; /var/run is a link to /run"""
OF_THE_RUNTIME = {
    PLUGIN: {"/termination-log", "/etc/hosts", "/dev", "/dev/shm", "/dev/mqueue"},
    LABELLER: {"/termination-log", "/dev/shm", "/dev/mqueue"},
    DRA_DRIVER: {"/termination-log", "/etc/hosts", "/dev", "/dev/shm", "/dev/mqueue"},
}
"""what containerd makes for each container, that container's alone; /dev where the host's does not stand over it"""

RIGHTS = {
    PLUGIN: {
        *(("patch", "nodes/status"), ("create", "events"), ("patch", "events")),
        *(("get", "pods"), ("get", "nodes")),
    },
    LABELLER: {("get", "nodes"), ("patch", "nodes")},
}
"""(verb, resource) at the API server"""
DRA_RIGHTS = {
    *RIGHTS[PLUGIN],
    ("list", "pods"),
    *((verb, "resourceslices") for verb in ("list", "create", "update", "delete")),
    *(("list", "deviceclasses"), ("get", "resourceclaims"), ("list", "resourceclaims")),
    ("patch", "resourceclaims/status"),
}
"""of the DRA driver, where there is DRA"""

_MERGE = "application/merge-patch+json"
_JSON = "application/json"
_POD = "/api/v1/namespaces/kube-system/pods"
_EVENTS = "/api/v1/namespaces/default/events"
_DRA = "/apis/resource.k8s.io/v1"
_CLAIM = f"{_DRA}/namespaces/default/resourceclaims/none"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Request(NamedTuple):
    """One request and what it takes. Nothing of it is carried out: a dry run, or of something that is not there."""

    verb: str
    resource: str
    method: str
    path: str
    content_type: str = ""


def requests(node: str) -> tuple[Request, ...]:
    """`node`: the agent's own."""
    of_node = f"/api/v1/nodes/{node}"
    return (
        Request("get", "nodes", "GET", of_node),
        Request("list", "nodes", "GET", "/api/v1/nodes"),
        Request("watch", "nodes", "GET", "/api/v1/nodes?watch=1&timeoutSeconds=1"),
        Request("patch", "nodes", "PATCH", f"{of_node}?dryRun=All", _MERGE),
        Request("patch", "nodes/status", "PATCH", f"{of_node}/status?dryRun=All", _MERGE),
        Request("update", "nodes", "PUT", f"{of_node}?dryRun=All", _JSON),
        Request("create", "nodes", "POST", "/api/v1/nodes?dryRun=All", _JSON),
        Request("delete", "nodes", "DELETE", f"{of_node}?dryRun=All"),
        Request("get", "nodes/proxy", "GET", f"{of_node}/proxy/pods"),
        Request("get", "pods", "GET", f"{_POD}/none"),
        Request("list", "pods", "GET", _POD),
        Request("list", "pods", "GET", "/api/v1/pods"),
        Request("create", "pods", "POST", f"{_POD}?dryRun=All", _JSON),
        Request("patch", "pods", "PATCH", f"{_POD}/none?dryRun=All", _MERGE),
        Request("patch", "pods/status", "PATCH", f"{_POD}/none/status?dryRun=All", _MERGE),
        Request("delete", "pods", "DELETE", f"{_POD}/none?dryRun=All"),
        Request("create", "pods/exec", "POST", f"{_POD}/none/exec?command=true"),
        Request("create", "pods/eviction", "POST", f"{_POD}/none/eviction?dryRun=All", _JSON),
        Request("get", "pods/log", "GET", f"{_POD}/none/log"),
        Request("list", "events", "GET", _EVENTS),
        Request("create", "events", "POST", f"{_EVENTS}?dryRun=All", _JSON),
        Request("patch", "events", "PATCH", f"{_EVENTS}/none?dryRun=All", _MERGE),
        Request("delete", "events", "DELETE", f"{_EVENTS}/none?dryRun=All"),
        Request("list", "secrets", "GET", "/api/v1/secrets"),
        Request("get", "secrets", "GET", "/api/v1/namespaces/kube-system/secrets/none"),
        Request("list", "configmaps", "GET", "/api/v1/namespaces/kube-system/configmaps"),
        Request("create", "serviceaccounts/token", "POST", f"{_POD[:-4]}serviceaccounts/default/token", _JSON),
        Request("list", "namespaces", "GET", "/api/v1/namespaces"),
        Request("patch", "daemonsets", "PATCH", f"/apis/apps/v1{_POD[7:-4]}daemonsets/none?dryRun=All", _MERGE),
        Request("list", "daemonsets", "GET", "/apis/apps/v1/daemonsets"),
        Request("list", "clusterroles", "GET", f"{_RBAC}/clusterroles"),
        Request("create", "clusterrolebindings", "POST", f"{_RBAC}/clusterrolebindings?dryRun=All", _JSON),
        Request("create", "tokenreviews", "POST", "/apis/authentication.k8s.io/v1/tokenreviews", _JSON),
        Request("list", "resourceslices", "GET", f"{_DRA}/resourceslices"),
        Request("get", "resourceslices", "GET", f"{_DRA}/resourceslices/none"),
        Request("create", "resourceslices", "POST", f"{_DRA}/resourceslices?dryRun=All", _JSON),
        Request("update", "resourceslices", "PUT", f"{_DRA}/resourceslices/none?dryRun=All", _JSON),
        Request("patch", "resourceslices", "PATCH", f"{_DRA}/resourceslices/none?dryRun=All", _MERGE),
        Request("delete", "resourceslices", "DELETE", f"{_DRA}/resourceslices/none?dryRun=All"),
        Request("list", "deviceclasses", "GET", f"{_DRA}/deviceclasses"),
        Request("create", "deviceclasses", "POST", f"{_DRA}/deviceclasses?dryRun=All", _JSON),
        Request("list", "devicetaintrules", "GET", f"{_DRA}/devicetaintrules"),
        Request("get", "resourceclaims", "GET", _CLAIM),
        Request("list", "resourceclaims", "GET", f"{_DRA}/resourceclaims"),
        Request("patch", "resourceclaims", "PATCH", f"{_CLAIM}?dryRun=All", _MERGE),
        Request("patch", "resourceclaims/status", "PATCH", f"{_CLAIM}/status?dryRun=All", _MERGE),
        Request("update", "resourceclaims/status", "PUT", f"{_CLAIM}/status?dryRun=All", _JSON),
        Request("delete", "resourceclaims", "DELETE", f"{_CLAIM}?dryRun=All"),
        Request("list", "leases", "GET", "/apis/coordination.k8s.io/v1/leases"),
        Request("get", "the server's metrics", "GET", "/metrics"),
        Request("get", "the server's logs", "GET", "/logs/"),
    )


def try_inside(cluster: Cluster, program: str, node: str, devfs_root: str) -> dict[str, Any]:
    """What `tries_inside.py` found in the container of an agent on a node."""
    items = cluster.get("pods", "--namespace=kube-system", f"--selector=app.kubernetes.io/name={program}")["items"]
    (pod,) = (item["metadata"]["name"] for item in items if item["spec"]["nodeName"] == node)
    asked = json.dumps([[request.method, request.path, request.content_type] for request in requests(node)])
    words = ["/usr/bin/python3.11", "-I", "-", asked, devfs_root]
    script = Path(__file__).with_name("tries_inside.py").read_text()
    said = cluster.kubectl("exec", "--stdin", "--namespace=kube-system", pod, "--", *words, stdin=script)
    found: dict[str, Any] = json.loads(said)
    return found


def remembered(cluster: Cluster, program: str, node: str) -> dict[str, bool]:
    """What the memory of an agent's process holds, seen from the machine: the token, and where the token lies.

    The process stands still meanwhile, or memory would go that its map has.
    """
    pid = find_agent(f"{cluster.run.cgroup}/{node}", program)
    assert pid is not None, f"{node}: no process of {program}"
    seen_from_here = SERVICE_ACCOUNT.removeprefix("/var")  # /var/run is a link to /run, and would lead to ours
    token = Path(f"/proc/{pid}/root{seen_from_here}/token").read_bytes().strip()
    sought = {"token": token.rpartition(b".")[2], "place": SERVICE_ACCOUNT.encode()}
    found = dict.fromkeys(sought, False)
    os.kill(pid, signal.SIGSTOP)
    try:
        for content in _written_memory(pid):
            found = {name: found[name] or word in content for name, word in sought.items()}
    finally:
        os.kill(pid, signal.SIGCONT)
    return found


def _written_memory(pid: int) -> Iterator[bytes]:
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, modes, *_ = line.split()
            if modes.startswith("rw"):
                start, end = (int(address, 16) for address in span.split("-"))
                memory.seek(start)
                yield memory.read(end - start)


def granted(statuses: list[int], node: str) -> set[tuple[str, str]]:
    """(verb, resource) of the requests that were not refused: 403 is the answer to who has no right."""
    return {(one.verb, one.resource) for one, status in zip(requests(node), statuses, strict=True) if status != 403}
