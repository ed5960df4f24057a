"""What claims may ask for beside one card: several requests, admin access, an NpuConfig."""

import json
from collections.abc import Iterator

import pytest

from tests.cluster.claim_templates import admin_request, claiming, request, template
from tests.cluster.dra import DraProduct
from tests.cluster.dra_plane.newest import ONLY_1_37
from tests.cluster.pods import ALPHA, PLAIN, npu_pod
from tests.cluster.workloads import Workloads

pytestmark = ONLY_1_37

NODE = "warboy-node01"


@pytest.fixture
def admins_namespace(dra: DraProduct) -> Iterator[None]:
    """The namespace may have claims with admin access meanwhile."""
    label = "resource.kubernetes.io/admin-access"
    dra.cluster.kubectl("label", "namespace", "default", f"{label}=true")
    yield
    dra.cluster.kubectl("label", "namespace", "default", f"{label}-")


def test_a_monitoring_pod_sees_all_cards_of_a_node_and_takes_none(
    dra: DraProduct, workloads: Workloads, admins_namespace: None
) -> None:
    """Also one that has failed; both are given to other pods meanwhile, and its end frees neither. One that comes later
    waits: Kubernetes counts a card's PEs for admin access too.
    """
    monitors = template("all-cards", [admin_request("npu", "npu.furiosa.ai")])
    with dra.failing(NODE, "npu0"):
        workloads.apply(monitors)
        workloads.run(claiming(npu_pod("monitor", {}, NODE), "all-cards"))
    assert workloads.npus("monitor") == ["npu0", "npu1"]
    of_card = ("{0}", "{0}pe0", "{0}pe0-1", "{0}pe1")
    assert workloads.files("monitor") == [name.format(npu) for npu in ("npu0", "npu1") for name in of_card]
    workloads.run(npu_pod("holder", {PLAIN: 1}, NODE), npu_pod("next", {ALPHA: 1}, NODE))
    assert sorted(workloads.npus("holder") + workloads.npus("next")) == ["npu0", "npu1"]
    workloads.delete("monitor")
    workloads.apply(npu_pod("more", {PLAIN: 1}, NODE), claiming(npu_pod("late", {}, NODE), "all-cards"))
    for waiting in ("more", "late"):
        assert "cannot allocate all claims" in workloads.wait_unschedulable(waiting)
    assert [workloads.phase(name) for name in ("holder", "next")] == ["Running", "Running"]


def test_a_container_with_several_requests_has_the_files_of_all_and_the_variables_of_the_last(
    dra: DraProduct, workloads: Workloads
) -> None:
    """A whole card and both PEs of the other one; furiosactl shows all of it."""
    requests = [request("card", "npu.furiosa.ai"), request("parts", "npu-1pe.furiosa.ai", 2)]
    workloads.apply(template("mixed", requests))
    workloads.run(claiming(npu_pod("mixed", {}, NODE), "mixed"))
    parts = workloads.exec("mixed", "printenv", "NPU_NPUNAME").strip()
    card = {"npu0": "npu1", "npu1": "npu0"}[parts]
    assert workloads.exec("mixed", "printenv", "NPU_DEVNAME").strip() == f"{parts}pe0,{parts}pe1"
    given = {card: [f"{card}pe0", f"{card}pe0-1", f"{card}pe1"], parts: [f"{parts}pe0", f"{parts}pe1"]}
    assert workloads.files("mixed") == sorted([card, *given[card], *given[parts]])
    listed = json.loads(workloads.exec("mixed", "furiosactl", "list", "--format=json"))
    compute = {one["name"]: sorted(file["devname"] for file in one["device_files"]) for one in listed}
    assert compute == {**given, card: sorted([card, *given[card]])}


def test_an_npu_config_says_in_which_form_cards_are_given_and_one_that_is_wrong_is_refused(
    dra: DraProduct, workloads: Workloads
) -> None:
    """PEs each on their own, a variable of the runtime; the key that is none stands in the pod's event."""
    good = {"peForm": "single", "environment": {"FURIOSA_LOG_LEVEL": "debug"}}
    requests = [request("npu", "npu.furiosa.ai")]
    workloads.apply(template("good", requests, good), template("wrong", requests, {"peform": "single"}))
    workloads.apply(claiming(npu_pod("wrong", {}, NODE), "wrong"))
    workloads.run(claiming(npu_pod("good", {}, NODE), "good"))
    (npu,) = set(workloads.npus("good"))
    told = [workloads.exec("good", "printenv", name).strip() for name in ("NPU_DEVNAME", "FURIOSA_LOG_LEVEL")]
    assert told == [f"{npu}pe0,{npu}pe1", "debug"]
    said = workloads.wait_event("wrong", "FailedPrepareDynamicResources")
    assert "parameters.peform: unknown key, expected apiVersion, kind, peForm, environment" in said
    assert workloads.phase("wrong") == "Pending"
