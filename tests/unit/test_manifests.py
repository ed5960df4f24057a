"""What users apply: kubernetes/deployments, compared whole, and what the overlay for simulated roots changes of it."""

import re
import tomllib
from typing import Any

import pytest
import yaml

import furiosa_npu
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
        LABELLER_SET: ["furiosa-npu-labeller"],
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
