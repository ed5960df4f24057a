"""What the shipped DRA driver may do on a host and at the API server, compared whole."""

from typing import Any

import yaml

from tests.unit.manifests import REPOSITORY

OBJECTS: dict[str, dict[str, Any]] = {
    one["kind"]: one
    for one in yaml.safe_load_all((REPOSITORY / "kubernetes/deployments/dra-driver.yaml").read_text(encoding="utf-8"))
}
POD = OBJECTS["DaemonSet"]["spec"]["template"]["spec"]
RESOURCE = ["resource.k8s.io"]


def test_the_driver_may_do_nothing_but_its_work() -> None:
    """No host namespace, no privilege, no capability, a read-only root."""
    for of_host in ("hostNetwork", "hostPID", "hostIPC", "initContainers", "shareProcessNamespace"):
        assert of_host not in POD
    (container,) = POD["containers"]
    assert POD["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "runAsUser": 0,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_its_rights_at_the_api_server_are_these() -> None:
    """Nothing is watched; only slices are made and deleted."""
    assert OBJECTS["ClusterRole"]["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": RESOURCE, "resources": ["resourceslices"], "verbs": ["list", "create", "update", "delete"]},
        {"apiGroups": RESOURCE, "resources": ["deviceclasses"], "verbs": ["list"]},
        {"apiGroups": RESOURCE, "resources": ["resourceclaims"], "verbs": ["get", "list"]},
        {"apiGroups": RESOURCE, "resources": ["resourceclaims/status"], "verbs": ["patch"]},
        {
            "apiGroups": RESOURCE,
            "resources": ["resourceclaims/driver"],
            "resourceNames": ["npu.furiosa.ai"],
            "verbs": ["associated-node:patch"],
        },
    ]


def test_it_writes_where_it_has_to_and_nowhere_else() -> None:
    """Its sockets, its state, CDI specifications; what it only reads is read-only."""
    (container,) = POD["containers"]
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    read_only = {mount["mountPath"] for mount in container["volumeMounts"] if mount.get("readOnly")}
    assert writable == {
        "/var/lib/kubelet/plugins_registry",
        "/var/lib/kubelet/plugins",
        "/var/lib/furiosa-npu",
        "/var/run/cdi",
    }
    assert read_only == {"/dev", "/var/lib/kubelet/device-plugins", "/var/lib/kubelet/pod-resources"}
