"""What is asked wrongly, and what is broken on a node: said once where a person looks, and nothing prepared is lost."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import described
from tests.cluster.claim_templates import (
    claim,
    claim_template,
    claiming,
    claiming_by_name,
    device_class,
)
from tests.cluster.dra import CDI_FOLDER, STATE_FILE, DraProduct, driver_objects
from tests.cluster.dra_plane.newest import ONLY_1_37
from tests.cluster.pods import ALPHA, PLAIN, npu_pod
from tests.cluster.workloads import Workloads

pytestmark = ONLY_1_37

NODE, OTHER = "warboy-node01", "warboy-node02"
REFUSED = "FailedPrepareDynamicResources"
TWIN = "second-driver"


@pytest.fixture(scope="module", autouse=True)
def slices_before(dra: DraProduct) -> Iterator[list[str]]:
    """UIDs of the slices before a second DaemonSet of the driver came to the other node. It stays while all else is
    tried on the first one.
    """
    before = slices(dra)
    twin = second_daemon_set()
    dra.cluster.kubectl("apply", "--filename=-", stdin=json.dumps(twin))
    dra.cluster.kubectl("rollout", "status", "--namespace=kube-system", f"daemonset/{TWIN}")
    yield before
    dra.cluster.kubectl("delete", "--filename=-", stdin=json.dumps(twin))


def second_daemon_set() -> dict[str, Any]:
    """As somebody might install it who does not know of the first."""
    daemon_set = driver_objects()[-1]
    labels = {"app.kubernetes.io/name": TWIN}
    daemon_set["metadata"] |= {"name": TWIN, "labels": labels}
    daemon_set["spec"]["selector"]["matchLabels"] = labels
    daemon_set["spec"]["template"]["metadata"]["labels"] = labels
    daemon_set["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": OTHER}
    return daemon_set


def slices(dra: DraProduct) -> list[str]:
    return [str(item["metadata"]["uid"]) for item in dra.slices(OTHER)]


def test_what_no_card_has_is_said_by_the_scheduler(dra: DraProduct, workloads: Workloads) -> None:
    """A size that no Warboy has; more PEs than any card has; an attribute that there is none."""
    classes = [
        device_class("huge", 'device.capacity["npu.furiosa.ai"].pe.isGreaterThan(quantity("64"))'),
        device_class("odd", 'device.attributes["npu.furiosa.ai"].colour == "blue"'),
    ]
    wanted = {"four": "npu-4pe.furiosa.ai", "huge": "huge", "odd": "odd"}
    try:
        workloads.apply(*classes, *(claim_template(name, of) for name, of in wanted.items()))
        workloads.apply(*(claiming(npu_pod(name, {}, NODE), name) for name in wanted))
        said = {name: workloads.wait_event(name, "FailedScheduling") for name in wanted}
    finally:
        dra.cluster.kubectl("delete", "deviceclass", "huge", "odd")
    assert "cannot allocate all claims" in said["four"]
    assert "cannot allocate all claims" in said["huge"]
    assert "no such key: colour" in said["odd"]


def test_a_claim_of_another_nodes_card_is_refused_with_the_names_of_both(dra: DraProduct, workloads: Workloads) -> None:
    """A pod that somebody bound to the wrong node by hand; the claim's own pod goes on."""
    workloads.apply(claim("shared", "npu.furiosa.ai"), claiming_by_name(npu_pod("owner", {}, OTHER), "shared"))
    workloads.wait_for("owner", "Running")
    (npu,) = workloads.npus("owner")
    stray = claiming_by_name(npu_pod("stray", {}, NODE), "shared")
    stray["spec"]["nodeName"] = NODE
    workloads.apply(stray)
    expected = f"{dra.device(OTHER, npu)} of pool {OTHER} is not on this node, whose pool is {NODE}"
    dra.cluster.wait("the refusal", lambda: expected in workloads.wait_event("stray", REFUSED))
    assert workloads.phase("owner") == "Running"
    workloads.delete("stray", "owner")
    dra.cluster.kubectl("delete", "resourceclaim", "shared")


def test_a_cdi_folder_that_is_full_or_read_only_is_named_and_pods_start_when_it_is_well(
    dra: DraProduct, workloads: Workloads
) -> None:
    """Without a restart of anything. The kubelet asks again when it next looks at a pod: about once a minute, and when
    the pod was changed, as here.
    """
    node = dra.cluster.node(NODE)
    try:
        node.shell(f"head -c 1M /dev/zero > {CDI_FOLDER}/filler || true")
        workloads.apply(npu_pod("full", {PLAIN: 1}, NODE))
        full = workloads.wait_event("full", REFUSED)
        node.shell(f"rm {CDI_FOLDER}/filler; mount -o remount,ro {CDI_FOLDER}")
        workloads.apply(npu_pod("read-only", {PLAIN: 1}, NODE))
        read_only = workloads.wait_event("read-only", REFUSED)
    finally:
        node.shell(f"mount -o remount,rw {CDI_FOLDER}; rm -f {CDI_FOLDER}/filler")
    assert "cannot be written: No space left on device: its file system is full" in full
    assert "cannot be written: Read-only file system: the folder is read-only here" in read_only
    dra.cluster.kubectl("annotate", "pods", "full", "read-only", "look=again")
    for name in ("full", "read-only"):
        workloads.wait_for(name, "Running")


def test_a_state_file_that_is_damaged_is_made_out_anew_and_kept(dra: DraProduct, workloads: Workloads) -> None:
    """Under a driver that runs: its log says so, the next pod gets the other card, and what is held is let go once."""
    workloads.run(npu_pod("before", {PLAIN: 1}, NODE))
    held = workloads.npus("before")
    state, kept = (dra.cluster.node(NODE).path(path) for path in (STATE_FILE, f"{STATE_FILE}.corrupt-1"))
    state.write_text("{")
    dra.cluster.wait("the state anew", lambda: "what is prepared was made out anew" in dra.log(NODE))
    assert kept.read_text() == "{"
    workloads.run(npu_pod("after", {ALPHA: 1}, NODE))
    assert sorted(held + workloads.npus("after")) == ["npu0", "npu1"]
    workloads.delete("before")
    workloads.run(npu_pod("again", {ALPHA: 1}, NODE))
    assert workloads.npus("again") == held


def test_of_two_daemonsets_the_older_says_so_and_pods_start_and_end(
    dra: DraProduct, workloads: Workloads, slices_before: list[str]
) -> None:
    """In its log, and in an event of the node. The slices are neither deleted nor made anew."""
    question = "is there a second DaemonSet of this driver?"
    dra.cluster.wait("the older one to tell", lambda: question in dra.log(OTHER))
    dra.cluster.wait("the event", lambda: said_of_the_node(dra, question) == ["NPUDriverTwice"])
    workloads.run(npu_pod("served", {PLAIN: 2}, OTHER))
    workloads.delete("served")
    assert slices(dra) == slices_before


def said_of_the_node(dra: DraProduct, words: str) -> list[str]:
    """The reasons of its events that say these words."""
    return [event.reason for event in described.events(dra.cluster, "node", OTHER) if words in event.message]
