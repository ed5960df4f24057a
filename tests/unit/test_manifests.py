"""What users apply: kubernetes/deployments, compared whole, and what the overlay for simulated roots changes of it."""

import re
import tomllib
from typing import Any

import pytest
import yaml

import furiosa_npu
from furiosa_npu.agent.config_file import read_config
from furiosa_npu.device_plugin.settings import PROGRAM as PLUGIN
from furiosa_npu.node_labeller.settings import PROGRAM as LABELLER
from tests.unit.manifests import (
    DEPLOYMENTS,
    DEV_VOLUME,
    LABELLER_SET,
    PLUGIN_SETS,
    REPOSITORY,
    SETS,
    container_of,
    daemon_set,
    objects,
    pod_of,
    shipped,
)

OVERLAY = REPOSITORY / "kubernetes/overlays/simulated"

STARTUP_TAINT = "npu.furiosa.ai/not-ready"

DOCUMENTS_POD = """
apiVersion: v1
kind: Pod
metadata:
  name: npu-pod
spec:
  nodeSelector:
    alpha.furiosa.ai/npu.family: warboy
  containers:
    - name: linux
      image: ubuntu:focal
      command: ["/bin/sleep", "3650d"]
      resources:
        limits:
          alpha.furiosa.ai/npu: "1"
"""
"""the example of the user's document"""


def test_the_manifests_hold_these_objects_and_no_other() -> None:
    """Agents in kube-system, each with an account of its own; both plugins share one."""
    told = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in shipped()]
    assert told == [
        ("ServiceAccount", "kube-system", LABELLER_SET),
        ("ClusterRole", None, LABELLER_SET),
        ("ClusterRoleBinding", None, LABELLER_SET),
        ("DaemonSet", "kube-system", LABELLER_SET),
        ("ServiceAccount", "kube-system", "furiosa-npu-plugin"),
        ("ClusterRole", None, "furiosa-npu-plugin"),
        ("ClusterRoleBinding", None, "furiosa-npu-plugin"),
        ("DaemonSet", "kube-system", "furiosa-npu-plugin"),
        ("DaemonSet", "kube-system", "furiosa-npu-plugin-renegade"),
    ]


@pytest.mark.parametrize("name", SETS)
def test_a_daemon_set_finds_its_own_pods(name: str) -> None:
    """One label selects, no other set's pods carry it; pods are replaced one after the other."""
    found = daemon_set(name)
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "furiosa-npu"}
    assert found["metadata"]["labels"] == found["spec"]["template"]["metadata"]["labels"] == labels
    assert found["spec"]["selector"] == {"matchLabels": {"app.kubernetes.io/name": name}}
    assert found["spec"]["updateStrategy"] == {"type": "RollingUpdate"}


def test_node_selectors_are_the_documents() -> None:
    """The labeller on each Linux node, a plugin on the nodes that the label names."""
    linux = {"kubernetes.io/os": "linux"}
    families = {name: {"alpha.furiosa.ai/npu.family": family} | linux for name, family in PLUGIN_SETS.items()}
    assert {name: pod_of(name)["nodeSelector"] for name in SETS} == {LABELLER_SET: linux} | families


@pytest.mark.parametrize("name", SETS)
def test_a_pod_stays_on_a_node_in_trouble(name: str) -> None:
    """Priority, and a toleration for every taint that keeps away or evicts."""
    pod = pod_of(name)
    assert pod["priorityClassName"] == "system-node-critical"
    assert pod["tolerations"] == [{"effect": effect, "operator": "Exists"} for effect in ("NoSchedule", "NoExecute")]
    assert pod["terminationGracePeriodSeconds"] == 5


@pytest.mark.parametrize("name", SETS)
def test_probes_ask_the_pages_that_the_agent_serves(name: str) -> None:
    """Alive and ready are two questions, asked on the agent's default port."""
    container = container_of(name)
    program = LABELLER if name == LABELLER_SET else PLUGIN
    (address,) = (str(option.default) for option in program.options if option.name == "listen-address")
    assert container["ports"] == [{"name": "http", "containerPort": int(address.rpartition(":")[2])}]
    probe = {"timeoutSeconds": 5}
    assert container["livenessProbe"] == probe | {"httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 20}
    assert container["readinessProbe"] == probe | {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 10}


def test_what_an_agent_may_use_is_bounded() -> None:
    """Requests and limits, the same for both plugins."""
    plugin = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
    labeller = {"requests": {"cpu": "5m", "memory": "24Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
    assert {name: container_of(name)["resources"] for name in SETS} == {
        LABELLER_SET: labeller,
        "furiosa-npu-plugin": plugin,
        "furiosa-npu-plugin-renegade": plugin,
    }


@pytest.mark.parametrize("name", SETS)
def test_the_image_is_this_version_and_is_not_pulled_where_it_was_loaded(name: str) -> None:
    """One image for all agents, which no registry has to have."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["version"] == furiosa_npu.__version__
    container = container_of(name)
    assert (container["image"], container["imagePullPolicy"]) == (f"furiosa-npu:{project['version']}", "IfNotPresent")


def test_the_image_has_every_command_but_the_demo() -> None:
    """Each starts the module that pip's does; furiosactl is the static file."""
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    installed = {name: target.split(".")[1] for name, target in scripts.items()}
    (listed,) = re.findall(r"for command in (.*?);", (REPOSITORY / "Containerfile").read_text())
    in_image = {f"furiosa-npu-{name}": module for name, module in (pair.split(":") for pair in listed.split())}
    assert in_image | {"furiosa-npu-demo": "demo", "furiosactl": "furiosactl"} == installed


def test_each_agent_starts_its_own_command() -> None:
    """A plugin is told its family; the node's name comes from the pod's specification."""
    told = {name: [*container_of(name)["command"], *container_of(name)["args"]] for name in SETS}
    assert told == {
        LABELLER_SET: ["furiosa-npu-labeller", "--listen-address=:6256"],
        "furiosa-npu-plugin": ["furiosa-npu-plugin", "--family=warboy"],
        "furiosa-npu-plugin-renegade": ["furiosa-npu-plugin", "--family=renegade"],
    }
    node_name = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    assert [container_of(name)["env"] for name in SETS] == [[node_name]] * 3


def test_the_two_plugins_differ_in_family_alone() -> None:
    """Name, label and option; the rest is one text twice."""
    text = (DEPLOYMENTS / "device-plugin.yaml").read_text()
    warboy, renegade = (part.partition("apiVersion:")[2] for part in text.split("---\n")[3:])
    as_renegade = warboy.replace("name: furiosa-npu-plugin\n", "name: furiosa-npu-plugin-renegade\n")
    assert as_renegade.replace("warboy", "renegade").rstrip() == renegade.rstrip()


def test_the_pod_is_the_documents() -> None:
    """Field by field."""
    assert objects(DEPLOYMENTS / "npu-pod.yaml") == list(yaml.safe_load_all(DOCUMENTS_POD))


def test_the_base_holds_both_agents() -> None:
    """What an overlay builds on; the pod example is none of it."""
    assert objects(DEPLOYMENTS / "kustomization.yaml") == [
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["node-labeller.yaml", "device-plugin.yaml"],
        }
    ]


def test_the_overlay_changes_the_roots_and_nothing_else() -> None:
    """Each set's arguments gain the two roots, the folder of the simulation stands in for /dev."""
    (kustomization,) = objects(OVERLAY / "kustomization.yaml")
    del kustomization["apiVersion"]
    assert kustomization == {
        "kind": "Kustomization",
        "bases": ["../../deployments"],
        "patchesStrategicMerge": ["roots.yaml"],
    }
    assert objects(OVERLAY / "roots.yaml") == [_overlay_patch(name) for name in SETS]


def test_see_holders_adds_what_seeing_other_processes_takes_and_nothing_else() -> None:
    """As a component, and as an overlay for kubectl 1.20, whose kustomize knows no components."""
    component, overlay = (REPOSITORY / "kubernetes" / kind / "see-holders" for kind in ("components", "overlays"))
    patch = {"patchesStrategicMerge": ["see-holders.yaml"]}
    told = [objects(folder / "kustomization.yaml") for folder in (component, overlay)]
    assert told == [
        [{"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"} | patch],
        [
            {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "bases": ["../../deployments"]}
            | patch
        ],
    ]
    assert objects(component / "see-holders.yaml") == [_see_holders_patch(name) for name in PLUGIN_SETS]
    assert (component / "see-holders.yaml").read_bytes() == (overlay / "see-holders.yaml").read_bytes()


def test_more_labels_adds_the_option_and_the_folder_of_the_lock_and_nothing_else() -> None:
    """A list of operations, for kustomize and for `kubectl patch` alike."""
    folder = REPOSITORY / "kubernetes/components/more-labels"
    target = {"kind": "DaemonSet", "name": LABELLER_SET}
    assert objects(folder / "kustomization.yaml") == [_component({"path": "labeller.yaml", "target": target})]
    pod = "/spec/template/spec"
    host = {"path": "/var/lib/furiosa-npu", "type": "DirectoryOrCreate"}
    mount = {"name": "furiosa-npu", "mountPath": "/var/lib/furiosa-npu", "readOnly": True}
    assert yaml.safe_load((folder / "labeller.yaml").read_text()) == [
        _added(f"{pod}/containers/0/args/-", "--labels=all"),
        _added(f"{pod}/containers/0/volumeMounts/-", mount),
        _added(f"{pod}/volumes/-", {"name": "furiosa-npu", "hostPath": host}),
    ]


def test_startup_taint_adds_the_option_and_the_right_and_nothing_else() -> None:
    """To the agents that hand out, whichever of them an overlay has."""
    folder = REPOSITORY / "kubernetes/components/startup-taint"
    sets, roles = "furiosa-npu-(plugin.*|dra-driver)", "furiosa-npu-(plugin|dra-driver)"
    assert objects(folder / "kustomization.yaml") == [
        _component(
            {"path": "option.yaml", "target": {"kind": "DaemonSet", "name": sets}},
            {"path": "right.yaml", "target": {"kind": "ClusterRole", "name": roles}},
        )
    ]
    names = [one["metadata"]["name"] for one in (*shipped(), *objects(DEPLOYMENTS / "dra-driver.yaml"))]
    agents = {"furiosa-npu-plugin", "furiosa-npu-dra-driver"}
    assert {name for name in names if re.fullmatch(roles, name)} == agents
    assert {name for name in names if re.fullmatch(sets, name)} == agents | {"furiosa-npu-plugin-renegade"}
    option, right = (yaml.safe_load((folder / file).read_text()) for file in ("option.yaml", "right.yaml"))
    assert option == [_added("/spec/template/spec/containers/0/args/-", f"--startup-taint={STARTUP_TAINT}")]
    assert right == [_added("/rules/-", {"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]})]


def test_config_adds_the_file_and_its_option_and_nothing_else() -> None:
    """To the agents that hand out. The ConfigMap's name is fixed, and no file is mounted by subPath: one that changes
    restarts nobody, and comes to who runs. As shipped it takes no card out.
    """
    folder = REPOSITORY / "kubernetes/components/config"
    (kustomization,) = objects(folder / "kustomization.yaml")
    (map_,) = kustomization.pop("configMapGenerator")
    target = {"kind": "DaemonSet", "name": "furiosa-npu-(plugin.*|dra-driver)"}
    assert kustomization == _component({"path": "agent.yaml", "target": target})
    part_of = {"app.kubernetes.io/part-of": "furiosa-npu"}
    assert map_ == {
        "name": "furiosa-npu-config",
        "namespace": "kube-system",
        "files": ["config.yaml"],
        "options": {"disableNameSuffixHash": True, "labels": part_of},
    }
    pod = "/spec/template/spec"
    mount = {"name": "config", "mountPath": "/etc/furiosa-npu", "readOnly": True}
    assert yaml.safe_load((folder / "agent.yaml").read_text()) == [
        _added(f"{pod}/containers/0/args/-", "--config=/etc/furiosa-npu/config.yaml"),
        _added(f"{pod}/containers/0/volumeMounts/-", mount),
        _added(f"{pod}/volumes/-", {"name": "config", "configMap": {"name": "furiosa-npu-config"}}),
    ]
    assert read_config((folder / "config.yaml").read_text(), PLUGIN.options) == {"disable": ()}


@pytest.mark.parametrize(("name", "mode"), [("nfd-features-d", "features.d"), ("nfd-node-feature", "node-feature")])
def test_with_node_feature_discovery_the_labeller_loses_its_rights_to_nodes(name: str, mode: str) -> None:
    """What the component takes away, and what the labeller has in its place."""
    folder = REPOSITORY / "kubernetes/components" / name
    target = {"kind": "DaemonSet", "name": LABELLER_SET}
    (kustomization,) = objects(folder / "kustomization.yaml")
    rights = kustomization.pop("resources", [])
    assert kustomization == _component({"path": "labeller.yaml", "target": target}, {"path": "no-rights.yaml"})
    removed = [(one["kind"], one["metadata"], one["$patch"]) for one in objects(folder / "no-rights.yaml")]
    shipped_rights = {one["kind"]: one["metadata"] for one in objects(DEPLOYMENTS / "node-labeller.yaml")}
    kinds = ("ClusterRole", "ClusterRoleBinding")
    assert removed == [(kind, shipped_rights[kind], "delete") for kind in kinds]
    operations = yaml.safe_load((folder / "labeller.yaml").read_text())
    assert operations[0] == _added("/spec/template/spec/containers/0/args/-", f"--publish={mode}")
    assert [file for file in rights if file != "rights.yaml"] == []
    for role in (one for file in rights for one in objects(folder / file) if one["kind"] == "Role"):
        group, verbs = "nfd.k8s-sigs.io", ["get", "create", "patch", "delete"]
        assert role["rules"] == [{"apiGroups": [group], "resources": ["nodefeatures"], "verbs": verbs}]


def test_the_file_for_nfd_worker_is_written_by_root_without_a_token() -> None:
    """Into the folder that nfd-worker has fixed in its code, which is the option's default."""
    (default,) = (option.default for option in LABELLER.options if option.name == "features-dir")
    pod = "/spec/template/spec"
    operations = yaml.safe_load((REPOSITORY / "kubernetes/components/nfd-features-d/labeller.yaml").read_text())
    host = {"path": default, "type": "DirectoryOrCreate"}
    assert operations[1:] == [
        _added(f"{pod}/containers/0/volumeMounts/-", {"name": "features-d", "mountPath": default}),
        _added(f"{pod}/volumes/-", {"name": "features-d", "hostPath": host}),
        _added(f"{pod}/securityContext/runAsNonRoot", False) | {"op": "replace"},
        _added(f"{pod}/securityContext/runAsUser", 0) | {"op": "replace"},
        _added(f"{pod}/automountServiceAccountToken", False),
    ]


def _component(*patches: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "patches": [*patches]}


def _added(path: str, value: object) -> dict[str, object]:
    return {"op": "add", "path": path, "value": value}


def _see_holders_patch(name: str) -> dict[str, Any]:
    container = {
        "name": "plugin",
        "securityContext": {"capabilities": {"add": ["SYS_PTRACE", "DAC_READ_SEARCH"]}},
    }
    unconfined = {"container.apparmor.security.beta.kubernetes.io/plugin": "unconfined"}
    template = {"metadata": {"annotations": unconfined}, "spec": {"hostPID": True, "containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"template": template},
    }


def _overlay_patch(name: str) -> dict[str, Any]:
    roots = ["--devfs-root=/run/furiosa-sim/dev", "--sysfs-root=/run/furiosa-sim/sys"]
    container = container_of(name)
    patched = {
        "name": container["name"],
        "args": [*container["args"], *roots],
        "volumeMounts": [
            {"mountPath": "/dev", "$patch": "delete"},
            {"name": "dev", "mountPath": "/run/furiosa-sim", "readOnly": True},
        ],
    }
    volume = DEV_VOLUME | {"hostPath": {"path": "/run/furiosa-sim", "type": "Directory"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"template": {"spec": {"containers": [patched], "volumes": [volume]}}},
    }
