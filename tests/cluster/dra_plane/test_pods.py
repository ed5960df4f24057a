"""NPUs through DRA on a real cluster: the same pods, parts of cards, and what becomes of claims."""

from typing import Any

import yaml

from tests.cluster.claim_templates import claim_template, claiming
from tests.cluster.dra import DraProduct
from tests.cluster.dra_plane.newest import ONLY_1_37
from tests.cluster.pods import ALPHA, PLAIN, npu_pod
from tests.cluster.product import DEPLOYMENTS
from tests.cluster.workloads import Workloads

pytestmark = ONLY_1_37

NODE = "warboy-node01"


def test_the_documents_pod_runs_unchanged(dra: DraProduct, workloads: Workloads) -> None:
    """Its manifest as it is, and one under the other name: different cards, the same environment, files, furiosactl."""
    document = yaml.safe_load((DEPLOYMENTS / "npu-pod.yaml").read_text())
    workloads.run(document, npu_pod("plain", {PLAIN: 1}, NODE))
    name = document["metadata"]["name"]
    node = workloads.get(name)["spec"]["nodeName"]
    card = workloads.exec(name, "printenv", "NPU_NPUNAME").strip()
    assert workloads.exec(name, "printenv", "NPU_DEVNAME").strip() == f"{card}pe0-1"
    assert card in workloads.exec(name, "furiosactl", "info")
    assert workloads.files(name) == [card, f"{card}pe0", f"{card}pe0-1", f"{card}pe1"]
    if node == NODE:
        assert workloads.npus("plain") != [card]


def test_two_cards_of_one_request_have_one_environment(workloads: Workloads) -> None:
    """As from the device plugin."""
    workloads.run(npu_pod("two", {ALPHA: 2}, NODE))
    assert workloads.npus("two") == ["npu0", "npu1"]
    told = [workloads.exec("two", "printenv", name).strip() for name in ("NPU_DEVNAME", "NPU_PENAME")]
    assert told == ["npu0pe0-1,npu1pe0-1", "pe0-1,pe0-1"]


def test_parts_of_one_card_go_to_several_pods(dra: DraProduct, workloads: Workloads) -> None:
    """Each container has the files of its own PE and no other; the whole card is nobody's meanwhile."""
    workloads.apply(claim_template("one-pe", "npu-1pe.furiosa.ai"))
    pods = [claiming(npu_pod(f"part{number}", {}, NODE), "one-pe") for number in range(3)]
    workloads.run(*pods)
    seen = {tuple(workloads.files(f"part{number}")) for number in range(3)}
    assert len(seen) == 3
    assert seen < {("npu0pe0",), ("npu0pe1",), ("npu1pe0",), ("npu1pe1",)}
    workloads.apply(npu_pod("whole", {PLAIN: 1}, NODE))
    assert "cannot allocate all claims" in workloads.wait_unschedulable("whole")


def test_a_claim_says_what_its_pod_was_given(dra: DraProduct, workloads: Workloads) -> None:
    """Device files, UUID, PEs, and Ready."""
    workloads.apply(claim_template("one-pe", "npu-1pe.furiosa.ai"))
    workloads.run(claiming(npu_pod("part", {}, NODE), "one-pe"))

    def told() -> dict[str, Any] | None:
        (claim,) = dra.cluster.get("resourceclaims")["items"]
        devices = claim["status"].get("devices")
        return devices[0] if devices else None

    device = dra.cluster.wait("the claim's status to tell of its device", told)
    devname = dra.cluster.wait("the container to say its PE", lambda: workloads.log("part").strip())
    npu, _, part = devname.partition("pe")
    assert device["device"] == dra.device(NODE, npu, f"pe{part}")
    assert device["data"]["pes"] == [int(part)]
    assert f"/dev/{npu}pe{part}" in device["data"]["deviceFiles"]
    assert [(one["type"], one["status"], one["reason"]) for one in device["conditions"]] == [
        ("Ready", "True", "Prepared")
    ]


def test_a_driver_that_is_killed_loses_nothing(dra: DraProduct, workloads: Workloads) -> None:
    """The pod runs on; the next driver still knows its claim, gives its card to nobody, and unprepares it."""
    workloads.run(npu_pod("held", {PLAIN: 1}, NODE))
    held = workloads.npus("held")
    dra.cluster.kubectl("delete", "pod", "--namespace=kube-system", "--grace-period=0", "--force", dra.driver(NODE))
    dra.wait_ready()
    workloads.run(npu_pod("other", {PLAIN: 1}, NODE))
    assert sorted(held + workloads.npus("other")) == ["npu0", "npu1"]
    assert workloads.phase("held") == "Running"
    workloads.delete("held")
    workloads.run(npu_pod("again", {ALPHA: 1}, NODE))
    assert workloads.npus("again") == held
