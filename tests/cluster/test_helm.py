"""A chart's life on a cluster: installed, upgraded from the last version, rolled back, removed; and what goes wrong.

On 1.20.2 the plane `auto` is the device plugin's, on 1.37.2 it is DRA's.
"""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.claim_templates import claim_template, claiming
from tests.cluster.cluster import Cluster, stage
from tests.cluster.commands import CommandFailed
from tests.cluster.cut_off import CutOffNode
from tests.cluster.dra import as_list
from tests.cluster.helm import CHART, NODE, RELEASE, SYSTEM, Helm
from tests.cluster.node_features import make_node_feature
from tests.cluster.pages import (
    DELETE_AWAIT,
    DELETE_HOOKS,
    DELETE_SWEEP,
    DELETE_TEST,
    DESCRIBE_CHECK,
    END_DRA,
    HISTORY,
    LIST_RELEASES,
    MONITOR,
    RETIRE_DRA,
    ROLLBACK,
    SWEEPS_LOG,
    TAKE_DRA,
)
from tests.cluster.pods import PLAIN, npu_pod
from tests.cluster.product import IMAGE, REPOSITORY
from tests.cluster.releases import KUBERNETES_1_37, Release
from tests.cluster.simulation import FOLDER
from tests.cluster.typed import typed
from tests.cluster.workloads import Workloads
from tests.helm.rendering import by_name, objects, template

TAINT, COUNT = "npu.furiosa.ai/not-ready", "furiosa.ai/npu.count"
LEVEL = "pod-security.kubernetes.io/enforce"
LABELLER, PLUGIN, DRIVER = "furiosa-npu-labeller", "furiosa-npu-plugin", "furiosa-npu-dra-driver"


@pytest.fixture(scope="module")
def helm(release: Release, binaries: list[Path]) -> Iterator[Helm]:
    with stage(f"Kubernetes {release}, Helm and its tests"):
        cluster = Cluster(release, binaries, (NODE,))
        try:
            yield Helm(cluster)
        finally:
            cluster.close()


@pytest.fixture
def workloads(helm: Helm) -> Iterator[Workloads]:
    workloads = Workloads(helm.cluster)
    yield workloads
    workloads.clear()


def agent(release: Release) -> str:
    """Which hands out cards."""
    return DRIVER if release == KUBERNETES_1_37 else PLUGIN


def life(pod: dict[str, Any]) -> tuple[str, str, int]:
    """What stays the same as long as a pod and its container are left alone."""
    (container,) = pod["status"]["containerStatuses"]
    return pod["metadata"]["uid"], container["containerID"], container["restartCount"]


def test_who_may_not_install_is_told_which_right_is_missing(helm: Helm) -> None:
    """The administrator of one namespace: nothing is made there."""
    theirs = "--namespace=tenants"
    helm.cluster.kubectl("create", "namespace", "tenants")
    helm.cluster.kubectl("create", "rolebinding", "tenant", "--clusterrole=admin", "--user=tenant", theirs)
    said = helm.refused("install", RELEASE, str(CHART), theirs, "--kube-as-user=tenant")
    assert 'User "tenant" cannot' in said
    assert "rbac.authorization.k8s.io" in said
    assert "furiosa" not in helm.cluster.kubectl("get", "daemonsets,serviceaccounts", theirs, "--output=name")


def test_a_kind_that_the_cluster_does_not_know_is_named(helm: Helm) -> None:
    """Nothing is made where there is no Prometheus Operator for what the values ask for."""
    said = helm.refused("install", "monitored", str(CHART), "--set=monitoring.podMonitor=true")
    assert 'no matches for kind "PodMonitor"' in said
    assert "not found" in helm.refused("status", "monitored")


def test_the_documents_commands_find_the_release(helm: Helm) -> None:
    """In its namespace; and what asks for monitoring keeps its other values until the cluster's API server refuses."""
    helm.deploy()
    good = helm.revision()
    assert re.search(r"^furiosa-npu\s+kube-system\s", typed(helm.cluster, LIST_RELEASES), re.MULTILINE)
    with pytest.raises(CommandFailed, match='no matches for kind "PodMonitor"'):
        typed(helm.cluster, MONITOR)
    typed(helm.cluster, ROLLBACK, REVISION=good)
    assert helm.status() == "deployed"


def test_a_version_that_is_installed_hands_out_cards(helm: Helm, release: Release) -> None:
    """The last one, on the plane that the cluster has; `helm test` shows a pod's own words."""
    said = helm.deploy_last()
    assert "helm test furiosa-npu -n kube-system" in said
    helm.wait_images({LABELLER: {helm.last.image}, agent(release): {helm.last.image}})
    assert "NPU_DEVNAME=npu" in helm("test", RELEASE, "--timeout=90s")


def test_a_pod_keeps_its_card_through_upgrade_and_rollback(helm: Helm, workloads: Workloads, release: Release) -> None:
    """From the last version to this one and back; the next pod gets the other card each time."""
    helm.deploy_last()
    workloads.run(npu_pod("holder", {PLAIN: 1}, NODE))
    before = life(workloads.get("holder"))
    back = ["rollback", RELEASE, "--wait", "--timeout=120s"]
    for change, image in ((helm.upgrade(CHART), IMAGE), (back, helm.last.image)):
        helm(*change)
        wanted = {LABELLER: {image}, agent(release): {image}}
        helm.wait_images(wanted)
        workloads.run(npu_pod("next", {PLAIN: 1}, NODE))
        assert sorted(workloads.npus("holder") + workloads.npus("next")) == ["npu0", "npu1"]
        workloads.delete("next")
    assert life(workloads.get("holder")) == before


def test_an_upgrade_that_breaks_off_half_way_is_rolled_back_and_no_pod_notices(
    helm: Helm, workloads: Workloads, release: Release
) -> None:
    """To an image that is not there, and again while Helm itself is killed: it says so, and a rollback mends both."""
    helm.deploy()
    workloads.run(npu_pod("holder", {PLAIN: 1}, NODE))
    before = life(workloads.get("holder"))
    good = helm.revision()
    wrong = helm.upgrade(CHART, "--set=image.tag=none", "--set=image.pullPolicy=Never")
    assert "context deadline exceeded" in helm.refused(*wrong, "--timeout=2s")
    assert helm.status() == "failed"
    with helm.start(*wrong) as at_work:
        helm.cluster.wait("Helm to be at work", lambda: helm.status() == "pending-upgrade")
        helm.cluster.wait("a pod that lacks its image", lambda: "ErrImageNeverPull" in waiting(helm))
        at_work.send_signal(signal.SIGKILL)
    assert helm.status() == "pending-upgrade"
    assert "another operation (install/upgrade/rollback) is in progress" in helm.refused(*helm.upgrade(CHART))
    helm("rollback", RELEASE, good, "--wait", "--timeout=120s")
    helm.wait_images({LABELLER: {IMAGE}, agent(release): {IMAGE}})
    workloads.run(npu_pod("next", {PLAIN: 1}, NODE))
    assert sorted(workloads.npus("holder") + workloads.npus("next")) == ["npu0", "npu1"]
    assert life(workloads.get("holder")) == before


def waiting(helm: Helm) -> set[str]:
    """Why containers of agents do not start."""
    items = helm.cluster.get("pods", SYSTEM)["items"]
    states = [one["state"] for item in items for one in item["status"].get("containerStatuses", ())]
    return {state["waiting"]["reason"] for state in states if "waiting" in state}


@pytest.mark.only_on(KUBERNETES_1_37, why="there is one plane alone on older versions")
def test_dra_is_not_left_while_a_pod_has_its_card_by_it(helm: Helm, workloads: Workloads) -> None:
    """Refused with the pod's name and the way, for its family's nodes too; with the driver that retires beside the
    plugin it goes on, and back. The document's commands keep the values of before: the simulated NPUs.
    """
    helm.deploy()
    workloads.run(npu_pod("holder", {PLAIN: 1}, NODE))
    before = life(workloads.get("holder"))
    for value, way in (
        ("plane=device-plugin", "dra.retire=true"),
        ("families={renegade}", "End them, or wait for them"),
    ):
        said = helm.refused(*helm.upgrade(CHART, f"--set={value}"))
        assert f"default/holder on {NODE}: claim " in said
        assert way in said
    until_hooks_are_gone(helm)
    helm.wait_images({LABELLER: {IMAGE}, DRIVER: {IMAGE}})
    typed(helm.cluster, RETIRE_DRA)
    helm.wait_images({LABELLER: {IMAGE}, DRIVER: {IMAGE}, PLUGIN: {IMAGE}})
    with pytest.raises(CommandFailed, match="default/holder"):
        typed(helm.cluster, END_DRA)
    assert life(workloads.get("holder")) == before
    workloads.delete("holder")
    helm.cluster.wait("no claim", lambda: not helm.cluster.get("resourceclaims")["items"])
    typed(helm.cluster, END_DRA)
    helm.wait_images({LABELLER: {IMAGE}, PLUGIN: {IMAGE}})
    workloads.run(npu_pod("holder", {PLAIN: 2}, NODE))
    typed(helm.cluster, TAKE_DRA)
    helm.wait_images({LABELLER: {IMAGE}, DRIVER: {IMAGE}})


@pytest.mark.only_on(KUBERNETES_1_37, why="there is one plane alone on older versions")
def test_what_kubectl_applied_is_taken_over_with_its_own_plane_first(helm: Helm) -> None:
    """The manifests of the last version; then the plane is changed by the document's command."""
    helm("uninstall", RELEASE, "--ignore-not-found")
    helm.wait_pods_gone()
    plugin = f"--set=plane=device-plugin,simulatedRoot={FOLDER}"
    applied = template("--no-hooks", plugin, chart=helm.last.chart)
    helm.cluster.kubectl("apply", "--filename=-", stdin=applied)
    helm.wait_images({LABELLER: {helm.last.image}, PLUGIN: {helm.last.image}})
    assert "invalid ownership metadata" in helm.refused(*helm.upgrade(CHART, plugin))
    take = helm.upgrade(CHART, "--take-ownership", plugin)
    assert re.search('conflicts? with "kubectl-client-side-apply"', helm.refused(*take))
    helm(*take, "--force-conflicts")
    helm.wait_images({LABELLER: {IMAGE}, PLUGIN: {IMAGE}})
    typed(helm.cluster, TAKE_DRA)
    helm.wait_images({LABELLER: {IMAGE}, DRIVER: {IMAGE}})


@pytest.mark.only_on(KUBERNETES_1_37, why="nothing in it is of a release")
def test_a_list_of_cards_out_of_use_is_followed_without_a_restart(helm: Helm) -> None:
    """Once its file is mounted: no pod is another after a change. `helm test` then finds no card, and its pod waits."""
    helm.deploy(CHART, "--set=plane=device-plugin")
    helm.wait_images({LABELLER: {IMAGE}, PLUGIN: {IMAGE}})
    cards = {row[0]: row[1] for row in statuses(helm)}

    def disable(*names: str) -> None:
        listed = ",".join(cards[name] for name in names)
        helm(*helm.upgrade(CHART, f"--set=plane=device-plugin,disable={{{listed}}}"))

    def allocatable() -> str:
        return str(helm.cluster.get("node", NODE)["status"]["allocatable"][PLAIN])

    disable("npu1")
    helm.cluster.wait("one card", lambda: allocatable() == "1")
    assert [(row[0], row[2]) for row in statuses(helm)] == [("npu0", "idle"), ("npu1", "disabled")]
    until_hooks_are_gone(helm)
    before = lives(helm)
    disable("npu0", "npu1")
    helm.cluster.kubectl("annotate", "pod", f"--selector=app.kubernetes.io/name={PLUGIN}", SYSTEM, "look=now")
    helm.cluster.wait("no card", lambda: allocatable() == "0")
    until_hooks_are_gone(helm)
    assert lives(helm) == before
    assert "furiosa-npu-test" in helm.refused("test", RELEASE, "--timeout=3s")
    typed(helm.cluster, DELETE_TEST)


def statuses(helm: Helm) -> list[list[str]]:
    """The plugin's own words, a row a card: name, UUID, state."""
    told = helm.cluster.kubectl("exec", SYSTEM, f"ds/{PLUGIN}", "--", PLUGIN, "status")
    return [line.split() for line in told.splitlines()[1:]]


def until_hooks_are_gone(helm: Helm) -> None:
    """Their pods end after Helm has said that all is done."""
    helm.cluster.wait("the hooks to be gone", lambda: "furiosa-npu-leave" not in str(helm.traces()["objects"]))


def lives(helm: Helm) -> list[tuple[str, str, int]]:
    """Of the agents."""
    return sorted(life(pod) for pod in helm.cluster.get("pods", SYSTEM)["items"])


@pytest.fixture
def part(helm: Helm, release: Release) -> Iterator[str]:
    """Where there are claims, a pod of another namespace with a part of a card; how a refusal names it."""
    if release != KUBERNETES_1_37:
        yield ""
        return
    parts = ("--namespace=parts",)
    helm.deploy()
    helm.cluster.kubectl("create", "namespace", "parts")
    pod = claiming(npu_pod("part", {}, NODE), "one")
    made = json.dumps(as_list([claim_template("one", "npu-1pe.furiosa.ai"), pod]))
    helm.cluster.kubectl("apply", "--filename=-", *parts, stdin=made)
    helm.cluster.wait("its pod", lambda: helm.cluster.get("pod", "part", *parts)["status"]["phase"] == "Running")
    (claim,) = helm.cluster.get("resourceclaims", *parts)["items"]
    yield f"; parts/part on {NODE}: claim {claim['metadata']['name']}"
    helm.cluster.kubectl("delete", "namespace", "parts")


def test_an_uninstallation_is_refused_while_a_pod_holds_a_card(helm: Helm, workloads: Workloads, part: str) -> None:
    """Before anything is removed; each pod is named, with what to do, which also brings the release back."""
    helm.deploy()
    workloads.run(npu_pod("holder", {PLAIN: 1}, NODE))
    agents, before = helm.images(), life(workloads.get("holder"))
    said = helm.refused("uninstall", RELEASE)
    hold = "2 pods hold" if part else "1 pod holds"
    assert f"{hold} NPUs, nothing was changed: default/holder on {NODE}: 1 x {PLAIN}{part}. " in said
    assert "run 'helm uninstall' again" in said
    assert (helm.images(), life(workloads.get("holder"))) == (agents, before)
    assert helm.status() == "uninstalling"
    helm.cluster.wait("the Job's event", lambda: "BackoffLimitExceeded" in typed(helm.cluster, DESCRIBE_CHECK))
    sweep = {"furiosa-npu-sweep-cluster": "furiosa-npu-check"}  # a Job that failed, as the sweep's would be
    assert "default/holder" in typed(helm.cluster, SWEEPS_LOG, **sweep)
    assert "deleted" in typed(helm.cluster, DELETE_SWEEP, **sweep)
    assert typed(helm.cluster, HISTORY).splitlines()[-1].split()[0] == helm.revision()
    assert '"furiosa-npu" has no deployed releases' in helm.refused(*helm.upgrade(CHART))
    typed(helm.cluster, ROLLBACK, REVISION=helm.revision())
    assert (helm.status(), helm.images(), life(workloads.get("holder"))) == ("deployed", agents, before)


@pytest.mark.only_on(KUBERNETES_1_37, why="nothing in it is of a release")
def test_hooks_that_kubectl_applied_remove_nothing(helm: Helm, workloads: Workloads) -> None:
    """From a rendered chart: no file, label or slice; the pod that would sweep the node says why. None stays."""
    helm.deploy()
    workloads.run(npu_pod("holder", {PLAIN: 1}, NODE))
    until_hooks_are_gone(helm)
    before = helm.cluster.wait("what lasts", lambda: found if (found := helm.traces()) == helm.traces() else None)
    found = objects(template("--show-only=templates/hooks/sweep.yaml"))
    hooks = json.dumps(as_list([one for one in found if one["kind"] != "Job"]))  # whose pods take half a minute to end
    helm.cluster.kubectl("apply", "--filename=-", stdin=hooks)
    try:
        said = helm.cluster.wait("a sweep that ends", lambda: sweeps_word(helm))
        assert "hands out this node's cards: nothing was removed" in said
    finally:
        gone = typed(helm.cluster, DELETE_HOOKS)
    assert {line.split()[1].strip('"') for line in gone.splitlines()} == {"furiosa-npu-sweep"}
    kinds = {one["kind"] for one in found if one["kind"] != "Job"}
    assert {line.split(".")[0].split()[0].lower() for line in gone.splitlines()} == {kind.lower() for kind in kinds}
    helm.cluster.wait("all to be as before", lambda: helm.traces() == before)


def sweeps_word(helm: Helm) -> str:
    """What the first sweep of the node said at its end; empty until then."""
    pods = helm.cluster.get("pods", SYSTEM, "--selector=app.kubernetes.io/name=furiosa-npu-sweep")["items"]
    states = [one for pod in pods for one in pod["status"].get("initContainerStatuses", ())]
    ends = [one[when]["terminated"] for one in states for when in ("state", "lastState") if "terminated" in one[when]]
    return str(ends[0].get("message", "")) if ends else ""


def test_an_uninstallation_leaves_nothing(helm: Helm, workloads: Workloads, release: Release) -> None:
    """No label, condition, taint, slice, CDI file, host tool, state file or object; of an image by its digest."""
    digest = helm.digest()
    helm.deploy(CHART, f"--set=labels={{all}},startupTaint={TAINT},image.digest={digest}")
    by_digest = {f"{IMAGE.partition(':')[0]}@{digest}"}
    helm.wait_images({LABELLER: by_digest, agent(release): by_digest})
    workloads.run(npu_pod("holder", {PLAIN: 1}, NODE))
    workloads.delete("holder")
    helm.cluster.wait("an opt-in label", lambda: COUNT in helm.traces()["nodes"][NODE]["labels"])
    helm.cluster.kubectl("taint", "nodes", NODE, f"{TAINT}=:NoSchedule")
    if release == KUBERNETES_1_37:  # built with Go 1.19, the API server of 1.20.2 dies of a kind that is made
        make_node_feature(helm.cluster, NODE)
    there = helm.traces()
    assert "FuriosaNPUHealthy" in there["nodes"][NODE]["conditions"]
    assert "/var/lib/furiosa-npu/bin/furiosactl" in there["files"][NODE]
    helm("uninstall", RELEASE)
    helm.wait_pods_gone()
    left = helm.traces()
    assert left["files"] == {NODE: []}
    assert (left["objects"], left["dra"]) == ([], [])
    text = json.dumps(left["nodes"])
    assert "furiosa" not in text.lower()
    if release == KUBERNETES_1_37:
        assert helm.cluster.get("nodefeatures", SYSTEM)["items"] == []
    with pytest.raises(CommandFailed, match="not found"):
        helm("status", RELEASE)


def test_it_works_in_a_namespace_of_its_own(helm: Helm, workloads: Workloads, release: Release) -> None:
    """Label, condition, slices and cards come there, and go with it; where its level lets pods mount folders."""
    helm("uninstall", RELEASE, "--ignore-not-found")
    there = helm.elsewhere("npus")
    if release == KUBERNETES_1_37:
        there.cluster.kubectl("create", "namespace", "npus")
        there.cluster.kubectl("label", "namespace", "npus", f"{LEVEL}=baseline")
        assert "STATUS: deployed" in there(*there.upgrade(CHART, "--wait=hookOnly"))
        why = 'violates PodSecurity "baseline:latest": hostPath volumes'
        told = ("describe", "daemonset", "--namespace=npus", LABELLER)  # of several it shows no events
        there.cluster.wait("why there are no pods", lambda: why in there.cluster.kubectl(*told))
        there.cluster.kubectl("label", "--overwrite", "namespace", "npus", f"{LEVEL}=privileged")
    there.deploy()
    there.wait_images({LABELLER: {IMAGE}, agent(release): {IMAGE}})
    workloads.run(npu_pod("holder", {PLAIN: 2}, NODE))
    workloads.delete("holder")
    made = there.traces()
    assert "alpha.furiosa.ai/npu.family" in made["nodes"][NODE]["labels"]
    assert "FuriosaNPUHealthy" in made["nodes"][NODE]["conditions"]
    kinds = {name.partition("/")[0].partition(".")[0] for name in made["dra"] if "furiosa" in name}
    policies = {"validatingadmissionpolicy", "validatingadmissionpolicybinding"}
    wanted = {"resourceslice", "deviceclass", *policies} if release == KUBERNETES_1_37 else set()
    assert kinds == wanted
    there("uninstall", RELEASE)
    there.wait_pods_gone()
    left = there.traces()
    assert (left["files"], left["objects"], left["dra"]) == ({NODE: []}, [], [])
    assert "furiosa" not in json.dumps(left["nodes"]).lower()


@pytest.mark.only_on(KUBERNETES_1_37, why="it takes half a minute, and nothing in it is of a release")
def test_a_node_that_is_cut_off_is_named_and_all_else_is_swept(helm: Helm) -> None:
    """The uninstallation ends in its time; at the API server nothing is left of that node either."""
    helm.deploy()
    away = CutOffNode(helm.cluster, "warboy-node09", {"alpha.furiosa.ai/npu.family": "warboy", COUNT: "2"})
    try:
        helm.cluster.wait("agents bound to it", lambda: len(away.pods()) == 2)
        said = helm.refused("uninstall", RELEASE)
        assert f"not swept: {away.name} (not Ready). All else is removed" in said
        assert "install and uninstall again" in said
        assert set(helm.images()) <= {"furiosa-npu-sweep"}
        left = helm.traces()
        assert (left["files"], left["dra"]) == ({NODE: []}, [])
        assert "furiosa" not in json.dumps(left["nodes"]).lower()
        assert [one for one in left["objects"] if not one.startswith("pod/")] == ["job.batch/furiosa-npu-await-nodes"]
        with pytest.raises(CommandFailed, match="not found"):
            helm("status", RELEASE)
    finally:
        away.end()
        typed(helm.cluster, DELETE_AWAIT)
    helm.wait_pods_gone()


@pytest.mark.parametrize(
    ("overlay", "value"), [("simulated", f"simulatedRoot={FOLDER}"), ("see-holders", "seeHolders=true")]
)
def test_an_overlay_is_what_the_chart_makes_of_its_value(helm: Helm, overlay: str, value: str) -> None:
    """kustomize's way and Helm's, object by object."""
    kustomized = helm.cluster.kubectl("kustomize", str(REPOSITORY / "kubernetes/overlays" / overlay))
    rendered = template("--set=plane=device-plugin", f"--set={value}", "--set=admissionPolicies=never")
    assert by_name(kustomized) == by_name(rendered)
