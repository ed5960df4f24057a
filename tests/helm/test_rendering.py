"""What Helm makes of the chart: the plain manifests, and what its values change of them."""

import json
import re
import shutil
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

import furiosa_npu
from furiosa_npu.agent.command_line import Program, parse_command_line
from furiosa_npu.agent.config_file import read_config
from furiosa_npu.chart_hooks.settings import PROGRAM as HOOK
from furiosa_npu.device_plugin.settings import PROGRAM as PLUGIN
from furiosa_npu.dra_driver.settings import PROGRAM as DRA_DRIVER
from furiosa_npu.node_labeller.settings import PROGRAM as LABELLER
from tests.cluster.last_release import last_release
from tests.helm.rendering import CHART, NEWEST, POLICIES, REPOSITORY, deployments, notes, objects, template

PROGRAMS: dict[str, Program] = {program.name: program for program in (PLUGIN, DRA_DRIVER, LABELLER, HOOK)}
DEVICE_PLUGIN = {"furiosa-npu-labeller", "furiosa-npu-plugin", "furiosa-npu-plugin-renegade"}
DRA = {"furiosa-npu-labeller", "furiosa-npu-dra-driver"}
SERVED = "--api-versions=resource.k8s.io/v1"


def pods(found: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pods' specifications by the name of what makes them, hooks too."""
    return {
        one["metadata"]["name"]: one["spec"] if one["kind"] == "Pod" else one["spec"]["template"]["spec"]
        for one in found
        if one["kind"] in ("Pod", "Job", "DaemonSet")
    }


def is_hook(found: dict[str, Any]) -> bool:
    return "helm.sh/hook" in found["metadata"].get("annotations", {})


def agents(*options: str) -> dict[str, dict[str, Any]]:
    return pods(one for one in objects(template(*options)) if not is_hook(one))


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def test_the_plain_manifests_are_what_the_chart_renders() -> None:
    """`python -m tests.helm` writes them anew."""
    for file, text in deployments():
        assert file.read_text(encoding="utf-8") == text, file


@pytest.mark.parametrize("plane", ["device-plugin", "dra"])
def test_every_agent_has_an_option_that_a_patch_can_add_to(plane: str) -> None:
    """An API server drops an empty list, and a JSON patch (RFC 6902) adds to none that is not there."""
    for name, pod in agents(*NEWEST, f"--set=plane={plane}").items():
        assert pod["containers"][0]["args"], name


def test_the_chart_has_the_projects_version() -> None:
    """Its own and the image's, and the newest that the documents tell of."""
    version = furiosa_npu.__version__
    assert tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"] == version
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    newest = re.findall("^## (.*)$", (REPOSITORY / "docs/versions.md").read_text(), re.MULTILINE)[0]
    assert (chart["version"], chart["appVersion"], newest) == (version, version, version)


def test_an_upgrade_from_the_last_version_names_another_image() -> None:
    """What has changed since a tag has another version: nodes keep an image that they have under a name."""
    last = last_release()
    assert (furiosa_npu.__version__ == last.version) is last.is_this_commit


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--kube-version=1.20.2"], DEVICE_PLUGIN),
        (["--kube-version=1.35.3", SERVED], DEVICE_PLUGIN),
        (["--kube-version=1.36.0", SERVED], DRA),
        (["--kube-version=1.36.0-gke.100", SERVED], DRA),
        ([*NEWEST, "--set=plane=device-plugin"], DEVICE_PLUGIN),
        ([*NEWEST, "--set=plane=device-plugin,dra.retire=true"], DEVICE_PLUGIN | DRA),
    ],
)
def test_auto_is_dra_where_extended_resources_work_there(options: list[str], names: set[str]) -> None:
    """From 1.36 on, if the API is served; one plane alone is installed, but for a driver that retires."""
    assert agents(*options).keys() == names


def test_the_device_classes_go_with_dra_and_policies_with_their_kind() -> None:
    """What a cluster does not know is not asked of it."""
    old = {one["kind"] for one in objects(template("--kube-version=1.20.2"))}
    new = {one["kind"] for one in objects(template(*NEWEST, POLICIES))}
    policies = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert new - old == {"DeviceClass"} | policies
    never = template(*NEWEST, POLICIES, "--set=admissionPolicies=never")
    assert policies.isdisjoint(one["kind"] for one in objects(never))


VALUES = """
plane: {plane}
namespace: npus
families: [renegade]
image:
  repository: registry.example.com/npu
  digest: "sha256:{digest}"
  pullPolicy: Always
  pullSecrets: [{{name: r}}]
priorityClassName: mine
labels: [count, driver]
publish: node-feature
startupTaint: example.com/new
tolerations: [{{operator: Exists}}, {{key: mine, operator: Exists}}]
health:
  cycleSeconds: 2
  probationQuietSeconds: 604800
  unknownOccupancy: withhold
  signs: {{temperature: 90.5, throttling: off, pcie-link: on, heartbeat-stopped: 20}}
dra: {{failedTaint: NoExecute}}
extraArgs: {{labeller: ["--silicon-hwtype=silicon"], plugin: ["--log-format=json"], draDriver: ["--log-level=debug"]}}
simulatedRoot: /run/furiosa-sim
"""
MINE = {"key": "mine", "operator": "Exists"}
TOLERATIONS = [{"operator": "Exists"}, MINE]
ONLY_WITH_KEYS = [
    *({"key": f"node-role.kubernetes.io/{role}", "operator": "Exists"} for role in ("control-plane", "master")),
    {"key": "example.com/new", "operator": "Exists"},
    MINE,
]
DAEMONS = {*DEVICE_PLUGIN, *DRA, "furiosa-npu-sweep"}
ROOTS = ["--devfs-root=/run/furiosa-sim/dev", "--sysfs-root=/run/furiosa-sim/sys"]
HEALTH = [
    *("--cycle-seconds=2", "--probation-quiet-seconds=604800", "--unknown-occupancy=withhold"),
    *("--sign=heartbeat-stopped=20", "--sign=pcie-link=on", "--sign=temperature=90.5", "--sign=throttling=off"),
]
TAINT = "--startup-taint=example.com/new"
ARGS = {
    "furiosa-npu-labeller": [
        *("--listen-address=:6256", *ROOTS, "--labels=count,driver", "--publish=node-feature"),
        "--silicon-hwtype=silicon",
    ],
    "furiosa-npu-plugin-renegade": ["--family=renegade", *ROOTS, *HEALTH, TAINT, "--log-format=json"],
    "furiosa-npu-dra-driver": [
        *("--listen-address=:6257", *ROOTS, *HEALTH, TAINT),
        *("--failed-taint=NoExecute", "--log-level=debug"),
    ],
}


@pytest.fixture(params=["device-plugin", "dra"])
def told(request: pytest.FixtureRequest, tmp_path: Any) -> list[dict[str, Any]]:
    """The objects where every value is another than by default."""
    (tmp_path / "values.yaml").write_text(VALUES.format(plane=request.param, digest="5" * 64))
    return objects(template(*NEWEST, POLICIES, f"--values={tmp_path / 'values.yaml'}"))


def test_values_reach_the_agents_as_their_options(told: list[dict[str, Any]]) -> None:
    """Each command of each pod takes what it is given."""
    for name, pod in pods(told).items():
        for container in containers(pod):
            (program,) = container["command"]
            parse_command_line(PROGRAMS[program], tuple(container["args"]))
        if name in ARGS:
            assert pod["containers"][0]["args"] == ARGS[name]
    assert {name for name in pods(told) if name.startswith("furiosa-npu-plugin")} <= {"furiosa-npu-plugin-renegade"}


def test_values_reach_every_pod(told: list[dict[str, Any]]) -> None:
    """Of agents, hooks and the test: image, secrets, tolerations; priority of all but the test.

    What tolerated every taint and runs once could be put on a node that is cut off, and would never start.
    """
    for name, pod in pods(told).items():
        images = {(one["image"], one["imagePullPolicy"]) for one in containers(pod)}
        assert images == {(f"registry.example.com/npu@sha256:{'5' * 64}", "Always")}, name
        assert pod["imagePullSecrets"] == [{"name": "r"}], name
        assert pod["tolerations"] == (TOLERATIONS if name in DAEMONS else ONLY_WITH_KEYS), name
        assert pod.get("priorityClassName") == (None if name == "furiosa-npu-test" else "mine")


def test_all_is_in_one_namespace(told: list[dict[str, Any]]) -> None:
    """Objects, and the accounts that roles are bound to."""
    named = {one["metadata"]["namespace"] for one in told if "namespace" in one["metadata"]}
    bound = {subject["namespace"] for one in told for subject in one.get("subjects", ())}
    assert named == bound == {"npus"}


def test_a_driver_of_one_family_goes_to_its_nodes_alone(told: list[dict[str, Any]]) -> None:
    """The label says which."""
    found = pods(told)
    if "furiosa-npu-dra-driver" in found:
        (term,) = found["furiosa-npu-dra-driver"]["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]["nodeSelectorTerms"]
        wanted = {"key": "alpha.furiosa.ai/npu.family", "operator": "In", "values": ["renegade"]}
        assert term["matchExpressions"] == [wanted]


def test_the_policies_let_the_startup_taint_of_the_values_pass(told: list[dict[str, Any]]) -> None:
    """And no other; without a value that of the documents."""
    text = yaml.safe_dump([one for one in told if one["kind"] == "ValidatingAdmissionPolicy"], width=1000)
    assert ("taint.key == ''example.com/new''" in text, "npu.furiosa.ai/not-ready" in text) == (True, False)
    shipped = (REPOSITORY / "kubernetes/deployments/admission-policies.yaml").read_text()
    assert "taint.key == 'npu.furiosa.ai/not-ready'" in shipped


EACH_TAINT = [{"effect": effect, "operator": "Exists"} for effect in ("NoSchedule", "NoExecute")]
OF_STARTUP = {"key": "example.com/new", "operator": "Exists"}


@pytest.mark.parametrize(
    ("tolerations", "added"),
    [
        ([MINE], [OF_STARTUP]),
        ([], [OF_STARTUP]),
        ([{"key": "example.com/new", "operator": "Equal", "value": "x"}], [OF_STARTUP]),
        (EACH_TAINT[:1], [OF_STARTUP]),
        (EACH_TAINT, []),
        ([{"operator": "Exists"}], []),
        ([MINE, OF_STARTUP], []),
    ],
)
def test_whoever_takes_the_startup_taint_away_tolerates_it(
    tolerations: list[dict[str, str]], added: list[dict[str, str]]
) -> None:
    """Whatever its effect: else no agent came to the node that has it. Pods that sweep nodes go there too."""

    def told(taint: str) -> dict[str, list[dict[str, str]]]:
        both = "--set=plane=device-plugin,dra.retire=true"
        found = objects(template(*NEWEST, both, f"--set-json=tolerations={json.dumps(tolerations)}", taint))
        return {name: pod["tolerations"] for name, pod in pods(found).items() if name in DAEMONS}

    assert told("--set=startupTaint=example.com/new") == {name: [*tolerations, *added] for name in DAEMONS}
    assert told("--set=startupTaint=") == dict.fromkeys(DAEMONS, tolerations)


def test_a_list_of_labels_without_plane_mounts_nothing_more() -> None:
    """The folder of the lock is for the label that says who hands out."""

    def mounts(labels: str) -> list[str]:
        (container,) = agents(*NEWEST, f"--set=labels={{{labels}}}")["furiosa-npu-labeller"]["containers"]
        return [one["name"] for one in container["volumeMounts"]]

    assert [mounts("count,numa"), mounts("count,plane")] == [["dev", "cdi"], ["dev", "cdi", "furiosa-npu"]]


DISABLED = ["0000:01:00.0", "A76AAD68-6855-40B1-9E86-D080852D1C81"]
CONFIG = "--config=/etc/furiosa-npu/config.yaml"


@pytest.mark.parametrize("plane", ["device-plugin", "device-plugin,dra.retire=true", "dra"])
def test_cards_out_of_use_stand_in_a_file_that_who_hands_out_has_mounted(plane: str) -> None:
    """As a folder, read-only; the file is one that the agents take. Another list changes no pod: nobody restarts."""

    def rendered(*disabled: str) -> list[dict[str, Any]]:
        return objects(template(*NEWEST, f"--set=plane={plane}", f"--set-json=disable={json.dumps(disabled)}"))

    found = rendered(*DISABLED)
    (file,) = (one for one in found if one["kind"] == "ConfigMap")
    assert (file["metadata"]["name"], file["metadata"]["namespace"]) == ("furiosa-npu-config", "kube-system")
    mount = {"name": "config", "mountPath": "/etc/furiosa-npu", "readOnly": True}
    ((name_of_file, text),) = file["data"].items()
    assert f"--config={mount['mountPath']}/{name_of_file}" == CONFIG
    for program in (PLUGIN, DRA_DRIVER):
        assert read_config(text, program.options) == {"disable": tuple(DISABLED)}
    volume = {"name": "config", "configMap": {"name": file["metadata"]["name"]}}
    for name, pod in pods(found).items():
        is_there = name in {*DEVICE_PLUGIN, *DRA} - {"furiosa-npu-labeller"}
        (container, *_) = containers(pod)
        assert (CONFIG in container.get("args", ())) is is_there, name
        assert [one for one in container.get("volumeMounts", ()) if one["name"] == "config"] == [mount] * is_there
        assert [one for one in pod.get("volumes", ()) if one["name"] == "config"] == [volume] * is_there
    assert pods(rendered("B")) == pods(found)
    assert not any(one["kind"] == "ConfigMap" for one in rendered())


def test_values_of_the_last_version_will_do(tmp_path: Path) -> None:
    """`--reuse-values` puts them in the place of this chart's: those that are new since then are lacking."""
    older = shutil.copytree(CHART, tmp_path / "chart")
    shutil.copyfile(last_release().chart / "values.yaml", older / "values.yaml")
    assert template(*NEWEST, POLICIES, chart=older) == template(*NEWEST, POLICIES)


def test_the_notes_tell_what_keeps_pods_away() -> None:
    """The level of the namespace; and, where nfd-worker's file is to call agents to a node with the taint, its pods."""
    assert "kubectl label --overwrite namespace npus pod-security.kubernetes.io/enforce=privileged" in notes(
        "--set=namespace=npus"
    )
    nfd = "nfd-worker has to tolerate the taint a.example/new"
    assert nfd in notes("--set=publish=features.d,startupTaint=a.example/new")
    assert not any(
        "nfd-worker" in notes(f"--set={one}") for one in ("publish=features.d", "startupTaint=a.example/new")
    )
