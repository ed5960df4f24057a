"""The DRA plane where the API server's feature gates for counters and taints are closed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import described
from tests.cluster.cluster import Cluster, stage
from tests.cluster.described import EventRow
from tests.cluster.dra import DAEMON_SET, DraProduct
from tests.cluster.pods import PLAIN, npu_pod
from tests.cluster.releases import KUBERNETES_1_37, Release
from tests.cluster.workloads import Workloads

pytestmark = pytest.mark.only_on(KUBERNETES_1_37, why="older versions have no DRA")

NODE = "warboy-node01"
GATES = ("DRAPartitionableDevices", "DRADeviceTaints", "DRADeviceTaintRules")
SAID = {
    "NPUPartitionsOff": "the API server takes no shared counters (feature gate DRAPartitionableDevices, as since "
    "Kubernetes 1.35): no partitions, only whole cards",
    "NPUTaintsOff": "the API server drops device taints (feature gate DRADeviceTaints): cards that would carry one are "
    "not published",
}


@pytest.fixture(scope="module")
def closed(release: Release, binaries: list[Path]) -> Iterator[DraProduct]:
    with stage(f"Kubernetes {release} with closed gates, and its tests"):
        cluster = Cluster(release, binaries, (NODE, "plain-node01"), closed_gates=GATES)
        try:
            yield DraProduct(cluster, devices_a_node=2)
        finally:
            cluster.close()


def test_whole_good_cards_are_left_and_what_is_off_is_said_once(closed: DraProduct) -> None:
    """No partition, since nothing counts its PEs; a card that fails is not there until it is well."""
    whole = {closed.device(NODE, npu): None for npu in ("npu0", "npu1")}
    assert {name: device.get("taints") for name, device in closed.devices(NODE).items()} == whole
    assert [part for one in closed.slices(NODE) for part in one["spec"] if part == "sharedCounters"] == []
    failed = closed.device(NODE, "npu0")
    closed.simulations[NODE].tell("fail", "npu0")
    closed.cluster.wait("the failed card to go", lambda: set(closed.devices(NODE)) == set(whole) - {failed})
    workloads = Workloads(closed.cluster)
    workloads.run(npu_pod("next", {PLAIN: 1}, NODE))
    assert workloads.npus("next") == ["npu1"]
    closed.simulations[NODE].tell("recover", "npu0")
    closed.cluster.wait("both cards", lambda: set(closed.devices(NODE)) == set(whole))
    workloads.clear()
    said = closed.cluster.wait("both to be said", lambda: all_said(closed))
    for reason, text in SAID.items():
        assert [event for event in said if event.reason == reason] == [EventRow("Warning", reason, DAEMON_SET, text)]


def all_said(closed: DraProduct) -> list[EventRow] | None:
    """The node's events, once each of the reasons is among them."""
    said = described.events(closed.cluster, "node", NODE)
    return said if {event.reason for event in said}.issuperset(SAID) else None
