"""Who gets which NPU: one pool, two names, and what happens when it runs out."""

import re
from typing import Any

import pytest

from tests.cluster.pods import ALPHA, PLAIN, container, npu_pod, pod
from tests.cluster.product import Product
from tests.cluster.workloads import Workloads

NODE = "warboy-node01"


def test_both_names_draw_from_one_pool(workloads: Workloads, product: Product) -> None:
    """A pod under each name: different cards; under each name the other's card is not allocatable."""
    workloads.run(npu_pod("alpha", {ALPHA: 1}, NODE), npu_pod("plain", {PLAIN: 1}, NODE))
    assert sorted(workloads.npus("alpha") + workloads.npus("plain")) == ["npu0", "npu1"]
    product.wait_allocatable(NODE, ALPHA, 1)
    product.wait_allocatable(NODE, PLAIN, 1)
    assert product.cluster.get("node", NODE)["status"]["capacity"][ALPHA] == "2"


def test_two_npus_in_one_container(workloads: Workloads) -> None:
    """Environment, device files and furiosactl name both cards."""
    workloads.run(npu_pod("two", {ALPHA: 2}))
    environment = dict(line.split("=", 1) for line in workloads.exec("two", "env").splitlines() if "=" in line)
    told = {name: value for name, value in environment.items() if name.startswith(("NPU_", "FURIOSA_DEVICES"))}
    assert told == {
        "NPU_DEVNAME": "npu0pe0-1,npu1pe0-1",
        "NPU_NPUNAME": "npu0,npu1",
        "NPU_PENAME": "pe0-1,pe0-1",
        "FURIOSA_DEVICES": "npu:0:0-1,npu:1:0-1",
    }
    assert listed(workloads, "two") == ["npu0", "npu1"]
    files = workloads.exec("two", "sh", "-c", "cd /dev && ls -d npu*").split()
    assert [name for name in files if re.fullmatch(r"npu\d+(pe.*)?", name)] == [
        *("npu0", "npu0pe0", "npu0pe0-1", "npu0pe1"),
        *("npu1", "npu1pe0", "npu1pe0-1", "npu1pe1"),
    ]


def listed(workloads: Workloads, name: str) -> list[str]:
    """The cards that furiosactl shows inside the pod."""
    rows = workloads.exec(name, "furiosactl", "info").splitlines()[3::2]
    return [row.split()[1] for row in rows]


def test_one_container_under_both_names(workloads: Workloads) -> None:
    """Two answers, of which the kubelet keeps one environment; device files and furiosactl show both cards."""
    workloads.run(npu_pod("both", {ALPHA: 1, PLAIN: 1}, NODE))
    assert len(workloads.npus("both")) == 1
    assert listed(workloads, "both") == ["npu0", "npu1"]


def test_more_npus_than_there_are_stay_pending(workloads: Workloads) -> None:
    """The scheduler says why."""
    workloads.apply(npu_pod("greedy", {ALPHA: 3}))
    assert f"Insufficient {ALPHA}" in workloads.wait_unschedulable("greedy")
    assert workloads.phase("greedy") == "Pending"


def test_two_pods_at_once_for_the_last_npu_under_one_name(workloads: Workloads) -> None:
    """One runs; the other stays Pending, and runs when the first has gone."""
    workloads.run(npu_pod("holder", {ALPHA: 1}, NODE))
    workloads.apply(npu_pod("first", {ALPHA: 1}, NODE), npu_pod("second", {ALPHA: 1}, NODE))
    running, pending = one_of(workloads, "first", "second")
    assert f"Insufficient {ALPHA}" in workloads.wait_unschedulable(pending)
    assert sorted(workloads.npus("holder") + workloads.npus(running)) == ["npu0", "npu1"]
    workloads.delete(running)
    workloads.wait_for(pending, "Running")


def one_of(workloads: Workloads, *names: str) -> tuple[str, str]:
    """Which of two pods runs, and which does not."""
    cluster = workloads.cluster
    running = cluster.wait(
        f"one of {names} to run", lambda: next((name for name in names if workloads.phase(name) == "Running"), None)
    )
    (other,) = (name for name in names if name != running)
    return running, other


@pytest.mark.alone
def test_two_pods_at_once_for_the_last_npu_under_two_names(workloads: Workloads, product: Product) -> None:
    """One runs; the other fails, and its status says our reason.

    The kubelet hears of both in one instant. Half a second after the first it has our next list, and would not ask us.
    """
    workloads.run(npu_pod("holder", {ALPHA: 1}, NODE))
    both = (npu_pod("under-alpha", {ALPHA: 1}, NODE), npu_pod("under-plain", {PLAIN: 1}, NODE))
    names = [one["metadata"]["name"] for one in both]
    with product.cluster.node(NODE).kubelet.paused():
        workloads.apply(*both)
        product.cluster.wait(
            "both to have a node", lambda: all("nodeName" in workloads.get(one)["spec"] for one in names)
        )
    running, failing = one_of(workloads, *names)
    failed = workloads.wait_for(failing, "Failed")
    assert failed["status"]["reason"] == "UnexpectedAdmissionError"
    assert "in use under" in failed["status"]["message"]
    described = ("describe", "pod", failing)
    product.cluster.wait(
        "the event", lambda: "in use under" in product.cluster.kubectl(*described).partition("\nEvents:")[2]
    )
    assert sorted(workloads.npus("holder") + workloads.npus(running)) == ["npu0", "npu1"]


def test_an_init_containers_npu_goes_on_to_the_app_container(workloads: Workloads) -> None:
    """Both ask for one, one after the other: the pod needs one card, and both see the same."""
    workloads.run(npu_pod("holder", {ALPHA: 1}, NODE))
    both = pod("both", [container("linux", {ALPHA: 1})], NODE, first=[container("prepare", {ALPHA: 1}, "true")])
    workloads.run(both)
    assert workloads.npus("both", "prepare") == workloads.npus("both", "linux")
    assert sorted(workloads.npus("holder") + workloads.npus("both")) == ["npu0", "npu1"]


def test_an_npu_of_an_init_container_alone_comes_back_under_the_other_name(
    workloads: Workloads, product: Product
) -> None:
    """The kubelet keeps it for the pod while that lives; afterwards the other name has both cards."""
    workloads.run(pod("passed-on", [container("linux")], NODE, first=[container("prepare", {ALPHA: 1}, "true")]))
    product.wait_allocatable(NODE, PLAIN, 1)
    workloads.apply(npu_pod("next", {PLAIN: 2}, NODE))
    assert f"Insufficient {PLAIN}" in workloads.wait_unschedulable("next")
    workloads.delete("passed-on")
    workloads.wait_for("next", "Running")
    assert workloads.npus("next") == ["npu0", "npu1"]


def test_a_jobs_pods_back_to_back(workloads: Workloads) -> None:
    """Each pod takes both cards of the node as soon as the one before has ended; none of them fails."""
    template = pod("ignored", [container("linux", {ALPHA: 2}, "true")], NODE)["spec"]
    workloads.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "row"},
            "spec": {"completions": 4, "parallelism": 1, "backoffLimit": 0, "template": {"spec": template}},
        }
    )
    seen = workloads.cluster.wait("the job to end", lambda: ended(workloads.cluster.get("job", "row")["status"]))
    assert (seen.get("succeeded"), seen.get("failed")) == (4, None)


def ended(status: dict[str, Any]) -> dict[str, Any] | None:
    """Of a job whose pods have all succeeded, or one of which has not."""
    return status if status.get("succeeded") == 4 or "failed" in status else None


def test_a_deleted_pods_npus_are_used_again_under_the_other_name(workloads: Workloads, product: Product) -> None:
    """Both cards under one name, then both under the other.

    What the node's status says is waited for: by an older one the scheduler sends the next pod before the kubelet has
    been told that the cards are free.
    """
    workloads.run(npu_pod("before", {ALPHA: 2}, NODE))
    product.wait_allocatable(NODE, PLAIN, 0)
    workloads.delete("before")
    workloads.run(npu_pod("after", {PLAIN: 2}, NODE))
    assert workloads.npus("after") == ["npu0", "npu1"]
