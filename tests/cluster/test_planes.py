"""A node that changes planes while pods run; and what its agents may write, with the admission policies applied."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import described
from tests.cluster.claim_templates import claim_template, claiming
from tests.cluster.cluster import Cluster, stage
from tests.cluster.commands import CommandFailed
from tests.cluster.components import operations, patch
from tests.cluster.dra import DAEMON_SET, DRIVER
from tests.cluster.planes import POLICIES, Planes
from tests.cluster.pods import ALPHA, LIVE, PLAIN, container, npu_pod, pod
from tests.cluster.policies import AGENTS, BUSY, PLUGIN, TAINT, refusal_in, slice_of, tries
from tests.cluster.product import CARDS_A_NODE
from tests.cluster.releases import KUBERNETES_1_37, Release
from tests.cluster.test_reasons import CONDITION, WELL
from tests.cluster.workloads import Workloads

pytestmark = pytest.mark.only_on(KUBERNETES_1_37, why="there is one plane alone on older versions")

NODE, OTHER = "warboy-node01", "plain-node01"
TRIES = 5
OCCUPIED = f"{DRIVER}/occupied=device-plugin:NoSchedule"
LOCKED = (
    "plane-device-plugin.lock is held: the device plugin (furiosa-npu-plugin) hands out this node's cards, and one "
    "plane at a time does; stop it first"
)

ONE_LEFT, NONE_LEFT = "1 claims are prepared yet", "no claim is left: this driver can be deleted"


@pytest.fixture(scope="module")
def planes(release: Release, binaries: list[Path]) -> Iterator[Planes]:
    with stage(f"Kubernetes {release}, changing planes, and the admission policies"):
        cluster = Cluster(release, binaries, (NODE, OTHER))
        try:
            yield Planes(cluster, NODE)
        finally:
            cluster.close()


@pytest.fixture
def workloads(planes: Planes) -> Iterator[Workloads]:
    workloads = Workloads(planes.cluster)
    yield workloads
    workloads.clear()
    planes.cluster.kubectl("delete", "resourceclaims,resourceclaimtemplates", "--all")


def test_slices_that_a_driver_left_are_taken_back_by_one_that_waits_for_the_plane(planes: Planes) -> None:
    """A device plugin waited when it went. Once the next driver is registered the kubelet does not delete them."""
    planes.hand_out_by_dra()
    planes.apply_plugin()
    planes.cluster.wait("the plugin to wait", lambda: "plane-dra.lock is held" in planes.log(PLUGIN))
    planes.end(DAEMON_SET)
    assert planes.dra.slices(NODE)
    planes.apply_driver()
    planes.cluster.wait("the slices to go", lambda: not planes.dra.slices(NODE))
    planes.cluster.wait("the driver to say who has the plane", lambda: LOCKED in planes.log(DAEMON_SET))
    planes.wait_allocatable(CARDS_A_NODE)


def test_a_claim_that_is_prepared_while_the_driver_is_updated_to_retire_is_left(
    planes: Planes, workloads: Workloads
) -> None:
    """The instance before serves until the kubelet has found the retiring one, which says what is left in the end.

    That is five seconds after its start: one of a few pods is in time.
    """
    workloads.apply(claim_template("card", DRIVER))
    assert any(is_prepared_while_it_begins_to_retire(planes, workloads) for _ in range(TRIES))
    planes.dra.wait_ready()
    planes.cluster.wait("what is left", lambda: ONE_LEFT in planes.log(DAEMON_SET))
    assert NONE_LEFT not in planes.log(DAEMON_SET)
    workloads.delete("claimed")
    planes.cluster.wait("the end to be said", lambda: NONE_LEFT in planes.log(DAEMON_SET))


def is_prepared_while_it_begins_to_retire(planes: Planes, workloads: Workloads) -> bool:
    """Else it came too late, and is gone: the driver was retired by then, or its slices were."""
    planes.hand_out_by_dra()
    planes.begin_retiring()
    workloads.apply(claiming(npu_pod("claimed", {}, NODE), "card"))

    def outcome() -> str:
        told = workloads.get("claimed")["status"]
        if told["phase"] == "Running":
            return "prepared"
        said = [one.get("message", "") for one in told.get("conditions", ()) if one["type"] == "PodScheduled"]
        said += [event.message for event in described.events(planes.cluster, "pod", "claimed")]
        late = ("this driver retires", "cannot allocate all claims")
        return "late" if any(words in text for words in late for text in said) else ""

    is_in_time = planes.cluster.wait("the pod to run or to be refused", outcome) == "prepared"
    if not is_in_time:
        workloads.delete("claimed")
    return is_in_time


def test_from_dra_to_the_device_plugin(planes: Planes, workloads: Workloads) -> None:
    """The retiring driver ends what is prepared and prepares nothing; until then the claim's card is nobody else's."""
    planes.hand_out_by_dra()
    workloads.apply(claim_template("card", DRIVER))
    workloads.run(claiming(npu_pod("claimed", {}, NODE), "card"))
    (held,) = workloads.npus("claimed")
    planes.retire_driver()
    planes.cluster.wait("what is left", lambda: ONE_LEFT in planes.log(DAEMON_SET))
    planes.apply_plugin()
    planes.wait_allocatable(1)
    planes.cluster.wait("the slices to go", lambda: not planes.dra.slices(NODE))
    workloads.run(npu_pod("next", {PLAIN: 1}, NODE))
    (free,) = workloads.npus("next")
    assert {held, free} == {"npu0", "npu1"}
    planes.cluster.wait("the node's status to tell of it", lambda: planes.allocatable() == (0, 1))
    workloads.apply(claim("late"))
    allocate(planes, "late", free)
    workloads.apply(claimed_by_name("late"))
    refusal = "this driver retires (--retire=on): it prepares nothing new"
    planes.cluster.wait(
        "the refusal",
        lambda: any(refusal in event.message for event in described.events(planes.cluster, "pod", "late")),
    )
    assert workloads.phase("claimed") == "Running"
    workloads.delete("claimed", "late")
    workloads.run(npu_pod("after", {ALPHA: 1}, NODE))
    assert workloads.npus("after") == [held]
    planes.cluster.wait("the end to be said", lambda: NONE_LEFT in planes.log(DAEMON_SET))
    planes.end(DAEMON_SET)
    assert described.condition(planes.cluster, NODE, CONDITION) == WELL


def test_from_the_device_plugin_to_dra(planes: Planes, workloads: Workloads) -> None:
    """The driver waits and says for whom; what pods hold, an init container's card too, is theirs until they end; the
    same manifests have cards from DRA at once, and the old pods' containers start again.
    """
    planes.hand_out_by_plugin()
    old = npu_pod("old", {PLAIN: 1}, NODE)
    old["spec"]["restartPolicy"] = "Always"
    workloads.run(old)
    workloads.apply(pod("beginning", [container("linux")], NODE, [container("first", {ALPHA: 1}, LIVE)]))
    first = planes.cluster.wait("the init container", lambda: workloads.npus("beginning", "first"))
    assert sorted([*workloads.npus("old"), *first]) == ["npu0", "npu1"]
    planes.apply_driver()
    planes.cluster.wait("the driver to say who has the plane", lambda: LOCKED in planes.log(DAEMON_SET))
    assert LOCKED in planes.drivers_readyz()
    planes.cluster.wait("no slice to be left", lambda: not planes.dra.slices(NODE))
    (waiting,) = planes.agent(DAEMON_SET)["status"]["containerStatuses"]
    assert (waiting["ready"], waiting["restartCount"], planes.taints()) == (False, 0, {})
    planes.end(PLUGIN)
    planes.dra.wait_ready()
    planes.cluster.wait("the driver's word", lambda: described.condition(planes.cluster, NODE, CONDITION) == WELL)
    planes.cluster.wait("both cards' taints", lambda: planes.taints() == {"npu0": [OCCUPIED], "npu1": [OCCUPIED]})
    workloads.apply(npu_pod("next", {PLAIN: 1}, NODE))
    workloads.wait_unschedulable("next")
    with suppress(CommandFailed):  # who asks may end with the container that it ends
        workloads.exec("old", "/bin/bash", "-c", "kill -TERM 1")
    planes.cluster.wait("the container to run again", lambda: restarts(workloads.get("old")) == (1, True))
    workloads.delete("beginning")
    workloads.wait_for("next", "Running")
    assert (workloads.npus("next"), planes.taints()[workloads.npus("old")[0]]) == (first, [OCCUPIED])
    card = workloads.npus("old")
    workloads.delete("old")
    workloads.run(npu_pod("last", {PLAIN: 1}, NODE))
    assert workloads.npus("last") == card


def test_a_static_pods_init_container_keeps_its_card_when_the_plane_changes(
    planes: Planes, workloads: Workloads
) -> None:
    """The kubelet's checkpoint alone knows of it, by another UID than the API server's; it ends with the pod."""
    planes.hand_out_by_plugin()
    static = pod("static", [container("linux")], NODE, [container("first", {ALPHA: 1}, LIVE)])
    mirror = f"static-{NODE}"
    with planes.cluster.node(NODE).static_pod(static):
        planes.cluster.wait("the mirror pod", lambda: mirror in planes.cluster.kubectl("get", "pods", "--output=name"))
        (held,) = planes.cluster.wait("the init container", lambda: workloads.npus(mirror, "first"))
        planes.apply_driver()
        planes.end(PLUGIN)
        planes.dra.wait_ready()
        free = "npu1" if held == "npu0" else "npu0"
        planes.cluster.wait("the taint", lambda: planes.taints() == {held: [OCCUPIED], free: []})
        workloads.run(npu_pod("other", {PLAIN: 1}, NODE))
        workloads.apply(npu_pod("next", {PLAIN: 1}, NODE))
        workloads.wait_unschedulable("next")
        assert (workloads.npus("other"), planes.taints()[held]) == ([free], [OCCUPIED])
    workloads.wait_for("next", "Running")
    assert workloads.npus("next") == [held]


def test_an_agent_writes_what_is_its_own_of_its_own_node_alone(planes: Planes) -> None:
    """Each with the token of its pod: what RBAC allows beside that the policies refuse, and say why."""
    planes.hand_out_by_plugin()
    planes.apply_driver()
    planes.cluster.wait("the driver to say who has the plane", lambda: LOCKED in planes.log(DAEMON_SET))
    planes.cluster.kubectl("create", "--filename=-", stdin=json.dumps(slice_of(OTHER, OTHER)))
    for agent in (PLUGIN, DAEMON_SET):
        patch(planes.cluster, "clusterrole", agent, operations("startup-taint", "right.yaml"))
    planes.cluster.kubectl("taint", "nodes", NODE, *(f"{key}=yes:PreferNoSchedule" for key in (TAINT, BUSY)))
    table = tries(NODE, OTHER)
    answers = {agent: iter(planes.ask_as(agent, [one[1:5] for one in table if one.agent == agent])) for agent in AGENTS}
    planes.cluster.kubectl("taint", "nodes", NODE, f"{TAINT}-", f"{BUSY}-")
    assert [refusal_in(*next(answers[one.agent])) for one in table] == [one.refusal for one in table]


def test_an_expression_names_all_fields_of_a_nodes_spec(planes: Planes) -> None:
    """As this API server has them: one that is not named could be written by whoever removes a taint."""
    schemas = planes.cluster.get_raw("/openapi/v3/api/v1")["components"]["schemas"]
    fields = set(schemas["io.k8s.api.core.v1.NodeSpec"]["properties"])
    nodes = next(iter(yaml.safe_load_all(POLICIES.read_text())))
    (removed,) = [one["expression"] for one in nodes["spec"]["variables"] if one["name"] == "isOwnTaintRemoved"]
    assert set(re.findall(r"object\)?\.\?spec\.\?(\w+) ==", removed)) | {"taints"} == fields


def test_the_api_server_finds_nothing_wrong_with_the_policies(planes: Planes) -> None:
    """Their expressions fit the types that they are about."""
    policies = planes.cluster.get("validatingadmissionpolicies")["items"]
    checked = {one["metadata"]["name"]: one["status"].get("typeChecking") for one in policies}
    names = ("furiosa-npu-nodes", "furiosa-npu-resource-slices", "furiosa-npu-node-features")
    assert checked == {name: {} for name in names}


def allocate(planes: Planes, name: str, npu: str) -> None:
    """As the scheduler does it, which finds no slice of the node any more."""
    result = {"request": "npu", "driver": DRIVER, "pool": NODE, "device": planes.dra.device(NODE, npu)}
    told = {"status": {"allocation": {"devices": {"results": [result]}}}}
    words = ["--subresource=status", "--type=merge", f"--patch={json.dumps(told)}"]
    planes.cluster.kubectl("patch", "resourceclaim", name, *words)


def claim(name: str) -> dict[str, Any]:
    """What claim_template's template makes."""
    template = claim_template(name, DRIVER)
    return template | {"kind": "ResourceClaim", "spec": template["spec"]["spec"]}


def claimed_by_name(name: str) -> dict[str, Any]:
    """A pod of a claim of its name, on the node without the scheduler."""
    late = claiming(npu_pod(name, {}), name)
    late["spec"] |= {"nodeName": NODE, "resourceClaims": [{"name": "npu", "resourceClaimName": name}]}
    return late


def restarts(told: dict[str, Any]) -> tuple[int, bool]:
    """Of the pod's container: how many, and whether it runs."""
    (status,) = told["status"]["containerStatuses"]
    return status["restartCount"], "running" in status["state"]
