"""NPUs through DRA on a real cluster: the same pods, parts of cards, and what becomes of claims."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import Cluster, stage
from tests.cluster.dra import DAEMON_SET, DraProduct, claim_template, claiming
from tests.cluster.pods import ALPHA, PLAIN, npu_pod
from tests.cluster.product import DEPLOYMENTS
from tests.cluster.releases import KUBERNETES_1_37, Release
from tests.cluster.workloads import Workloads

pytestmark = pytest.mark.only_on(KUBERNETES_1_37, why="extended resources over DRA are on by default from 1.36 on")

NODE, OTHER = "warboy-node01", "warboy-node02"


@pytest.fixture(scope="module")
def dra(release: Release, binaries: list[Path]) -> Iterator[DraProduct]:
    """A cluster of its own: a kubelet that has known the device plugin remembers it for minutes."""
    with stage(f"Kubernetes {release}, the DRA plane and its tests"):
        cluster = Cluster(release, binaries)
        try:
            yield DraProduct(cluster)
        finally:
            cluster.close()


@pytest.fixture
def workloads(dra: DraProduct) -> Iterator[Workloads]:
    workloads = Workloads(dra.cluster)
    yield workloads
    workloads.clear()
    dra.cluster.wait("all claims to be gone", lambda: not dra.cluster.get("resourceclaims")["items"], 60)
    dra.cluster.kubectl("delete", "resourceclaimtemplates", "--all")


def test_the_documents_pod_runs_unchanged(dra: DraProduct, workloads: Workloads) -> None:
    """Its manifest as it is, and one under the other name: different cards, the same environment, files, furiosactl."""
    document = yaml.safe_load((DEPLOYMENTS / "npu-pod.yaml").read_text())
    workloads.run(document, npu_pod("plain", {PLAIN: 1}, NODE))
    name = document["metadata"]["name"]
    node = workloads.get(name)["spec"]["nodeName"]
    card = workloads.exec(name, "printenv", "NPU_NPUNAME").strip()
    assert workloads.exec(name, "printenv", "NPU_DEVNAME").strip() == f"{card}pe0-1"
    assert card in workloads.exec(name, "furiosactl", "info")
    files = workloads.exec(name, "sh", "-c", "cd /dev && ls -d npu*pe* npu?").split()
    assert files == [card, f"{card}pe0", f"{card}pe0-1", f"{card}pe1"]
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
    seen = {
        workloads.exec(f"part{number}", "sh", "-c", "cd /dev && ls -d npu*pe* npu? 2>/dev/null; true").strip()
        for number in range(3)
    }
    assert len(seen) == 3
    assert seen < {"npu0pe0", "npu0pe1", "npu1pe0", "npu1pe1"}
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

    device = dra.cluster.wait("the claim's status to tell of its device", told, 20)
    npu, _, part = workloads.log("part").strip().partition("pe")
    assert device["device"] == dra.device(NODE, npu, f"pe{part}")
    assert device["data"]["pes"] == [int(part)]
    assert f"/dev/{npu}pe{part}" in device["data"]["deviceFiles"]
    assert [(one["type"], one["status"], one["reason"]) for one in device["conditions"]] == [
        ("Ready", "True", "Prepared")
    ]


def test_a_card_that_fails_is_tainted_with_the_reason_and_its_parts_too(dra: DraProduct, workloads: Workloads) -> None:
    """The next pod gets the other card; healed, the taints go."""
    name = dra.device(NODE, "npu0")

    def taints() -> dict[str, list[str]]:
        return {
            device: [f"{taint['key']}={taint['value']}:{taint['effect']}" for taint in told.get("taints", ())]
            for device, told in dra.devices(NODE).items()
            if device.startswith(name)
        }

    dra.simulations[NODE].tell("fail", "npu0")
    try:
        failed = ["npu.furiosa.ai/failed=not-alive:NoSchedule"]
        expected = {name: failed, f"{name}-pe0": failed, f"{name}-pe1": failed}
        dra.cluster.wait("the failed card's taints", lambda: taints() == expected, 10)
        workloads.run(npu_pod("next", {PLAIN: 1}, NODE))
        assert workloads.npus("next") == ["npu1"]
        workloads.apply(npu_pod("more", {ALPHA: 1}, NODE))
        workloads.wait_unschedulable("more")
    finally:
        dra.simulations[NODE].tell("recover", "npu0")
    workloads.wait_for("more", "Running")
    dra.cluster.wait("the taints to go", lambda: taints() == {name: [], f"{name}-pe0": [], f"{name}-pe1": []}, 20)


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


def test_no_pod_fails_during_rolling_updates(dra: DraProduct, workloads: Workloads) -> None:
    """Two instances serve for a moment each time; the slices stay."""
    before = [item["metadata"]["uid"] for item in dra.slices(NODE)]
    for number in range(3):
        dra.cluster.kubectl("rollout", "restart", "--namespace=kube-system", f"daemonset/{DAEMON_SET}")
        pods = [npu_pod(f"roll{number}-{count}", {PLAIN: 1}) for count in range(3)]
        workloads.run(*pods)
        workloads.delete(*(one["metadata"]["name"] for one in pods))
        dra.wait_ready()
    assert [item["metadata"]["uid"] for item in dra.slices(NODE)] == before
