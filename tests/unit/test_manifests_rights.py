"""What the shipped pods may do on a host and at the API server, compared whole."""

from typing import Any

import pytest

from tests.unit.manifests import DEV_VOLUME, LABELLER_SET, PLUGIN_SETS, SETS, container_of, pod_of, shipped

DEV = {"name": "dev", "mountPath": "/dev", "readOnly": True}
CDI = {"name": "cdi", "mountPath": "/var/run/cdi"}
CDI_VOLUME = {"name": "cdi", "hostPath": {"path": "/var/run/cdi", "type": "DirectoryOrCreate"}}
PLUGIN_MOUNTS = [
    DEV,
    {"name": "device-plugins", "mountPath": "/var/lib/kubelet/device-plugins"},
    {"name": "pod-resources", "mountPath": "/var/lib/kubelet/pod-resources", "readOnly": True},
    {"name": "furiosa-npu", "mountPath": "/var/lib/furiosa-npu"},
    CDI,
]
PLUGIN_VOLUMES = [
    DEV_VOLUME,
    {"name": "device-plugins", "hostPath": {"path": "/var/lib/kubelet/device-plugins", "type": "Directory"}},
    {"name": "pod-resources", "hostPath": {"path": "/var/lib/kubelet/pod-resources", "type": "Directory"}},
    {"name": "furiosa-npu", "hostPath": {"path": "/var/lib/furiosa-npu", "type": "DirectoryOrCreate"}},
    CDI_VOLUME,
]


@pytest.mark.parametrize("name", SETS)
def test_a_pod_may_do_nothing_but_its_work(name: str) -> None:
    """All of what a pod says of its rights: no host namespace, no privilege, no capability, a read-only root."""
    pod, container = pod_of(name), container_of(name)
    for of_host in ("hostNetwork", "hostPID", "hostIPC", "initContainers", "shareProcessNamespace"):
        assert of_host not in pod
    seccomp = {"seccompProfile": {"type": "RuntimeDefault"}}
    nobody = {"runAsNonRoot": True, "runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 65534}
    unprivileged = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    if name == LABELLER_SET:
        assert (pod["securityContext"], container["securityContext"]) == (nobody | seccomp, unprivileged)
    else:
        assert (pod["securityContext"], container["securityContext"]) == (seccomp, {"runAsUser": 0} | unprivileged)


RULES = {
    LABELLER_SET: [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}],
    "furiosa-npu-plugin": [
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
    ],
}
"""what an agent may do at the API server, by the name of its account"""


def test_each_agent_has_a_token_of_its_account() -> None:
    """Mounted, as is the default where neither pod nor account says otherwise."""
    accounts = {name: pod_of(name).get("serviceAccountName") for name in SETS}
    assert accounts == {LABELLER_SET: LABELLER_SET} | dict.fromkeys(PLUGIN_SETS, "furiosa-npu-plugin")
    for spec in (*map(pod_of, SETS), *_of_kind("ServiceAccount").values()):
        assert "automountServiceAccountToken" not in spec


def test_an_account_may_do_these_things_and_nothing_else() -> None:
    """One role an account, one binding, no role in a namespace."""
    assert {name: role["rules"] for name, role in _of_kind("ClusterRole").items()} == RULES
    assert {
        name: (binding["roleRef"], binding["subjects"]) for name, binding in _of_kind("ClusterRoleBinding").items()
    } == {
        name: (
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            [{"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}],
        )
        for name in RULES
    }
    assert set(_of_kind("ServiceAccount")) == set(RULES)
    assert not _of_kind("Role")
    assert not _of_kind("RoleBinding")


def _of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in shipped() if found["kind"] == kind}


def test_each_mount_is_one_of_these() -> None:
    """Host folders and whether they can be written: three by the plugin, none by the labeller."""
    assert {name: container_of(name)["volumeMounts"] for name in SETS} == {
        LABELLER_SET: [DEV, CDI | {"readOnly": True}],
        "furiosa-npu-plugin": PLUGIN_MOUNTS,
        "furiosa-npu-plugin-renegade": PLUGIN_MOUNTS,
    }
    assert {name: pod_of(name)["volumes"] for name in SETS} == {
        LABELLER_SET: [DEV_VOLUME, CDI_VOLUME],
        "furiosa-npu-plugin": PLUGIN_VOLUMES,
        "furiosa-npu-plugin-renegade": PLUGIN_VOLUMES,
    }


@pytest.mark.parametrize("name", SETS)
def test_the_last_words_of_a_container_are_not_written_below_dev(name: str) -> None:
    """A runtime would have to make the file in the host's /dev, which is read-only here."""
    container = container_of(name)
    told = (container["terminationMessagePath"], container["terminationMessagePolicy"])
    assert told == ("/termination-log", "FallbackToLogsOnError")
