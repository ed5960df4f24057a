"""The driver is updated while pods come and go."""

import time

from tests.cluster.claim_templates import claim, claiming_by_name
from tests.cluster.dra import DRIVER, DraProduct
from tests.cluster.dra_plane.newest import ONLY_1_37
from tests.cluster.pods import PLAIN, container, job, npu_pod, pod
from tests.cluster.workloads import Workloads

pytestmark = ONLY_1_37

UPDATES = 20


def test_a_driver_that_starts_writes_no_claim(dra: DraProduct, workloads: Workloads) -> None:
    """What an earlier one said of its devices stands there; older and newer instance serve side by side meanwhile."""
    workloads.apply(claim("one", DRIVER))
    workloads.run(claiming_by_name(npu_pod("holder", {}), "one"))
    dra.cluster.wait("the claim's status", lambda: "devices" in dra.cluster.get("resourceclaim", "one")["status"])
    before = dra.cluster.get("resourceclaim", "one")
    for _ in range(2):
        dra.restart()
        time.sleep(5)  # what is not to happen has no event
    assert dra.cluster.get("resourceclaim", "one") == before
    workloads.delete("holder")
    dra.cluster.kubectl("delete", "resourceclaim", "one")


def test_no_pod_fails_during_twenty_rolling_updates(dra: DraProduct, workloads: Workloads) -> None:
    """Three pods at a time ask for an NPU and end at once: at least as many as updates start meanwhile, and none fails;
    of no claim does the kubelet say, not even once, that it was not prepared. The slices stay.
    """
    slices = [item["metadata"]["uid"] for node in dra.nodes for item in dra.slices(node)]
    brief = pod("brief", [container("linux", {PLAIN: 1}, script="exit 0")])
    workloads.apply(job("churn", brief, parallelism=3, completions=10_000, backoffLimit=0))
    for _ in range(UPDATES):
        dra.restart()
        status = dra.cluster.get("job", "churn")["status"]
        assert "failed" not in status, status
    assert status.get("succeeded", 0) >= UPDATES, status
    assert unprepared(dra) == []
    assert [item["metadata"]["uid"] for node in dra.nodes for item in dra.slices(node)] == slices


def unprepared(dra: DraProduct) -> list[str]:
    """What the kubelet said of claims of these pods that it did not get prepared."""
    events = dra.cluster.get("events", "--field-selector=reason=FailedPrepareDynamicResources")["items"]
    return [event["message"] for event in events if event["involvedObject"]["name"].startswith("churn-")]
