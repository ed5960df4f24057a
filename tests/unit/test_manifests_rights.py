"""What the shipped pods may do on a host and at the API server, compared whole."""

import pytest

from tests.unit.manifests import DEV_VOLUME, LABELLER_SET, PLUGIN_SETS, SETS, container_of, pod_of, shipped

DEV = {"name": "dev", "mountPath": "/dev", "readOnly": True}
PLUGIN_MOUNTS = [
    DEV,
    {"name": "device-plugins", "mountPath": "/var/lib/kubelet/device-plugins"},
    {"name": "pod-resources", "mountPath": "/var/lib/kubelet/pod-resources", "readOnly": True},
    {"name": "furiosa-npu", "mountPath": "/var/lib/furiosa-npu"},
]
PLUGIN_VOLUMES = [
    DEV_VOLUME,
    {"name": "device-plugins", "hostPath": {"path": "/var/lib/kubelet/device-plugins", "type": "Directory"}},
    {"name": "pod-resources", "hostPath": {"path": "/var/lib/kubelet/pod-resources", "type": "Directory"}},
    {"name": "furiosa-npu", "hostPath": {"path": "/var/lib/furiosa-npu", "type": "DirectoryOrCreate"}},
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


def test_only_the_labeller_has_a_token() -> None:
    """The plugin's pods mount none; the labeller's account may get and patch nodes, and nothing else."""
    assert {name: pod_of(name).get("automountServiceAccountToken") for name in PLUGIN_SETS} == dict.fromkeys(
        PLUGIN_SETS, False
    )
    assert [pod_of(name).get("serviceAccountName") for name in SETS] == [LABELLER_SET, None, None]
    role, binding = shipped()[1:3]
    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}]
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": LABELLER_SET,
    }
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": LABELLER_SET, "namespace": "kube-system"}]


def test_each_mount_is_one_of_these() -> None:
    """Host folders and whether they can be written: two by the plugin, none by the labeller, /dev by neither."""
    assert {name: container_of(name)["volumeMounts"] for name in SETS} == {
        LABELLER_SET: [DEV],
        "furiosa-npu-plugin": PLUGIN_MOUNTS,
        "furiosa-npu-plugin-renegade": PLUGIN_MOUNTS,
    }
    assert {name: pod_of(name)["volumes"] for name in SETS} == {
        LABELLER_SET: [DEV_VOLUME],
        "furiosa-npu-plugin": PLUGIN_VOLUMES,
        "furiosa-npu-plugin-renegade": PLUGIN_VOLUMES,
    }


@pytest.mark.parametrize("name", SETS)
def test_the_last_words_of_a_container_are_not_written_below_dev(name: str) -> None:
    """A runtime would have to make the file in the host's /dev, which is read-only here."""
    container = container_of(name)
    told = (container["terminationMessagePath"], container["terminationMessagePolicy"])
    assert told == ("/termination-log", "FallbackToLogsOnError")
