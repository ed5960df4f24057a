"""A card that fails: what is said of it where people look, and what becomes of the pod that has it."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tests.cluster.cache import say
from tests.cluster.claim_templates import claim_template, claiming
from tests.cluster.dra import DraProduct
from tests.cluster.dra_plane.newest import ONLY_1_37
from tests.cluster.pods import ALPHA, LIVE, PLAIN, container, job, npu_pod, pod
from tests.cluster.simulation import FOLDER
from tests.cluster.watched import Told, watched
from tests.cluster.workloads import Workloads

pytestmark = ONLY_1_37

NODE = "warboy-node01"
FAILED = "npu.furiosa.ai/failed"
NOT_ALIVE = "has failed: not alive: the driver's file alive says that the card does not run"
BROKEN_OFF = LIVE.replace("exit 0", "exit 1")
"""ends badly when asked to: a pod that ended well would have done the work of its Job, which makes no other one then"""


def test_a_card_that_fails_is_tainted_with_the_reason_and_its_parts_too(dra: DraProduct, workloads: Workloads) -> None:
    """The next pod gets the other card; healed, the taints go."""
    name = dra.device(NODE, "npu0")

    def taints() -> dict[str, list[str]]:
        return {
            device: [f"{taint['key']}={taint['value']}:{taint['effect']}" for taint in told.get("taints", ())]
            for device, told in dra.devices(NODE).items()
            if device.startswith(name)
        }

    with dra.failing(NODE, "npu0"):
        failed = ["npu.furiosa.ai/failed=not-alive:NoSchedule"]
        expected = {name: failed, f"{name}-pe0": failed, f"{name}-pe1": failed}
        dra.cluster.wait("the failed card's taints", lambda: taints() == expected)
        workloads.run(npu_pod("next", {PLAIN: 1}, NODE))
        assert workloads.npus("next") == ["npu1"]
        workloads.apply(npu_pod("more", {ALPHA: 1}, NODE))
        workloads.wait_unschedulable("more")
    workloads.wait_for("more", "Running")
    dra.cluster.wait("the taints to go", lambda: taints() == {name: [], f"{name}-pe0": [], f"{name}-pe1": []})


def test_the_failed_one_of_two_cards_is_named_in_pod_and_claim(dra: DraProduct, workloads: Workloads) -> None:
    """The kubelet's resource health with the driver's message, the claim's condition Ready; healed, both are well."""
    workloads.apply(claim_template("two-cards", "npu.furiosa.ai", 2))
    workloads.run(claiming(npu_pod("holder", {}, NODE), "two-cards"))
    first, second = dra.device(NODE, "npu0"), dra.device(NODE, "npu1")
    well = {first: ("Healthy", None), second: ("Healthy", None)}
    ready = {first: ("True", "Prepared", ""), second: ("True", "Prepared", "")}
    dra.cluster.wait("the pod's health", lambda: health_of_devices(workloads, "holder") == well)
    message = f"npu1 {NOT_ALIVE}"
    with dra.failing(NODE, "npu1"):
        failed = {**well, second: ("Unhealthy", message)}
        dra.cluster.wait("the pod to be told", lambda: health_of_devices(workloads, "holder") == failed)
        not_ready = {**ready, second: ("False", "NotAlive", message)}
        dra.cluster.wait("the claim to be told", lambda: readiness_of_devices(dra) == not_ready)
        assert workloads.phase("holder") == "Running"
    dra.cluster.wait("the pod's health", lambda: health_of_devices(workloads, "holder") == well)
    dra.cluster.wait("the claim to be Ready", lambda: readiness_of_devices(dra) == ready)


def health_of_devices(workloads: Workloads, name: str) -> dict[str, tuple[str, str | None]]:
    """By device, what `allocatedResourcesStatus` of the pod's container says of its claim."""
    (status,) = workloads.get(name)["status"]["containerStatuses"]
    resources = [one for told in status.get("allocatedResourcesStatus", ()) for one in told["resources"]]
    return {one["resourceID"].rpartition(".")[2]: (one["health"], one.get("message")) for one in resources}


def readiness_of_devices(dra: DraProduct) -> dict[str, tuple[str, str, str]]:
    """By device, the condition Ready in the status of the one claim that there is."""
    (claim,) = dra.cluster.get("resourceclaims")["items"]
    return {
        device["device"]: (one["status"], one["reason"], one["message"])
        for device in claim["status"].get("devices", ())
        for one in device["conditions"]
    }


def test_by_setting_a_pod_is_moved_off_a_card_that_fails(dra: DraProduct, workloads: Workloads) -> None:
    """`--failed-taint=NoExecute`: Kubernetes deletes the pod, and its Job's next one runs on the other card."""
    dra.update("--failed-taint=NoExecute")
    try:
        workloads.apply(job("mover", pod("mover", [container("linux", {PLAIN: 1}, BROKEN_OFF)], NODE)))
        before = dra.cluster.wait("the Job's pod to run", lambda: running_of(dra, "mover"))
        (held,) = workloads.npus(before)
        with dra.failing(NODE, held):
            said = workloads.wait_event(before, "DeviceTaintManagerEviction")
            assert said == "Marking for deletion"
            after = dra.cluster.wait("another pod to run", lambda: running_of(dra, "mover", other_than=before))
            assert sorted([held, *workloads.npus(after)]) == ["npu0", "npu1"]
        workloads.clear()
        for eviction in evictions(dra, workloads):
            say(str(eviction))
            assert 0 < eviction.to_taint_seconds < 10
            assert 0 < eviction.to_deletion_seconds < 10
            assert eviction.tainted_at_revision < eviction.deleted_at_revision
    finally:
        workloads.clear()
        dra.update()


class Eviction(NamedTuple):
    """What became of a pod whose card failed, by watches on the API server."""

    to_taint_seconds: float
    """from the change of the driver's file until a slice has the taint"""
    to_deletion_seconds: float
    """until the pod has a deletionTimestamp"""
    tainted_at_revision: int
    """etcd's, which counts the changes of all objects: it has the order, where each watch tells at a pace of its own"""
    deleted_at_revision: int

    def __str__(self) -> str:
        after = self.to_deletion_seconds - self.to_taint_seconds
        return f"card's fault: {self.to_taint_seconds:.2f} s to the taint, {after:.2f} s to the pod's deletion"


def evictions(dra: DraProduct, workloads: Workloads) -> list[Eviction]:
    """Of four pods whose cards fail one after the other, each at another point of the driver's cycle of a second."""
    nodes = {f"{node}-{number}": node for node in dra.nodes for number in "01"}
    workloads.run(*(npu_pod(pod, {PLAIN: 1}, node) for pod, node in nodes.items()))
    cards = {pod: (node, *workloads.npus(pod)) for pod, node in nodes.items()}
    failed_at: dict[str, float] = {}
    with (
        watched(dra.cluster, "/apis/resource.k8s.io/v1/resourceslices") as slices,
        watched(dra.cluster, "/api/v1/namespaces/default/pods") as pods,
    ):
        try:
            for number, (pod, (node, npu)) in enumerate(cards.items()):
                time.sleep(0.25 * number)
                dra.simulations[node].tell("fail", npu)
                alive = dra.cluster.node(node).path(f"{FOLDER}/sys/class/npu_mgmt/{npu}_mgmt/alive")
                failed_at[pod] = alive.stat().st_mtime
                dra.cluster.wait(f"{pod} to be deleted", partial(deletion, pods, pod))
                dra.cluster.wait(f"{npu} to be tainted", partial(taint, slices, node, dra.device(node, npu)))
        finally:
            for node, npu in cards.values():
                dra.simulations[node].tell("recover", npu)
        return [
            Eviction(tainted.at - at, deleted.at - at, revision(tainted), revision(deleted))
            for pod, at in failed_at.items()
            if (deleted := deletion(pods, pod)) and (tainted := taint(slices, cards[pod][0], dra.device(*cards[pod])))
        ]


def deletion(told: Callable[[], list[Told]], pod: str) -> Told | None:
    """When it was first told to end."""
    for one in told():
        if one.object["metadata"]["name"] == pod and "deletionTimestamp" in one.object["metadata"]:
            return one
    return None


def taint(told: Callable[[], list[Told]], node: str, device: str) -> Told | None:
    """When the device was first told to have failed; the simulated nodes' devices have the same names."""
    for one in told():
        if one.object["spec"]["nodeName"] == node:
            for found in one.object["spec"].get("devices", ()):
                if found["name"] == device and any(taint["key"] == FAILED for taint in found.get("taints", ())):
                    return one
    return None


def revision(told: Told) -> int:
    return int(told.object["metadata"]["resourceVersion"])


def running_of(dra: DraProduct, job: str, other_than: str = "") -> str | None:
    """The name of a Job's pod that runs and is not to end."""
    for item in dra.cluster.get("pods", f"--selector=job-name={job}")["items"]:
        metadata, name = item["metadata"], str(item["metadata"]["name"])
        if item["status"]["phase"] == "Running" and "deletionTimestamp" not in metadata and name != other_than:
            return name
    return None


def test_a_driver_that_starts_keeps_a_claims_card_its_own_wherever_it_is(dra: DraProduct, workloads: Workloads) -> None:
    """The cards' driver was loaded anew, and numbers changed: what is where the claim's card was goes to nobody else.
    The claim's card drops off the bus: it is gone, and said to be, as long as its pod is there.
    """
    simulation = dra.simulations[NODE]
    workloads.apply(claim_template("card", "npu.furiosa.ai"))
    workloads.run(claiming(npu_pod("holder", {}, NODE), "card"))
    (was,) = workloads.npus("holder")
    other = "npu1" if was == "npu0" else "npu0"
    held, free = dra.device(NODE, was), dra.device(NODE, other)
    simulation.tell("renumber", was, "2")
    simulation.tell("renumber", other, was.removeprefix("npu"))
    dra.restart()
    dra.cluster.wait("the other card to be kept back", lambda: taints_of(dra, free) == ["unreadable=identity"])
    workloads.apply(npu_pod("next", {PLAIN: 1}, NODE))
    workloads.wait_unschedulable("next")
    simulation.tell("remove", "npu2")
    dra.restart()
    dra.cluster.wait("the claim's card to be gone", lambda: taints_of(dra, held) == ["gone=gone"])
    dra.cluster.wait("the claim to be told", lambda: readiness_of_devices(dra).get(held, ())[:2] == ("False", "Gone"))
    workloads.delete("holder")
    workloads.wait_for("next", "Running")
    assert workloads.npus("next") == [was]
    workloads.delete("next")
    simulation.tell("renumber", was, other.removeprefix("npu"))
    simulation.tell("add", "npu2")
    simulation.tell("renumber", "npu2", was.removeprefix("npu"))
    dra.cluster.wait("all to be well again", lambda: taints_of(dra, held) == taints_of(dra, free) == [])


def taints_of(dra: DraProduct, device: str) -> list[str] | None:
    """None: it is not published."""
    told = dra.devices(NODE).get(device)
    if told is None:
        return None
    return [f"{taint['key'].removeprefix('npu.furiosa.ai/')}={taint['value']}" for taint in told.get("taints", ())]
