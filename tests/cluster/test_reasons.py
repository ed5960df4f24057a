"""Reasons where people look: `kubectl describe` of node and pod, the plugin's own status, docs/why-pending.md."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.cluster import described
from tests.cluster.commands import CommandFailed
from tests.cluster.described import ConditionRow, EventRow
from tests.cluster.pods import ALPHA, npu_pod
from tests.cluster.product import DEPLOYMENTS, REPOSITORY, Product
from tests.cluster.typed import typed
from tests.cluster.watched import watched_node
from tests.cluster.workloads import Workloads
from tests.docs.markdown import commands

NODE = "warboy-node01"
CONDITION = "FuriosaNPUHealthy"
NOT_ALIVE = "not alive: the driver's file alive says that the card does not run"
WELL = ConditionRow("True", "AllNPUsHealthy", "2 NPUs, none unhealthy")
PLUGIN = "furiosa-npu-plugin"
TRIES = 5


def test_a_failing_card_is_said_on_its_node_and_on_the_pod_that_holds_it(
    workloads: Workloads, product: Product
) -> None:
    """Events on both, the condition with the sign and the card, the plugin's own line; and again when it is well."""
    cluster = product.cluster
    workloads.run(npu_pod("holder", {ALPHA: 1}, NODE))
    (npu,) = workloads.npus("holder")
    uuid = product.uuid(NODE, npu)
    told, card = f"{npu} ({uuid}), which this pod holds,", f"{npu} ({uuid})"
    with failing(product, npu):
        failed = EventRow("Warning", "NPUFailed", PLUGIN, f"{told} has failed: {NOT_ALIVE}")
        cluster.wait("the pod to be told", lambda: failed in described.events(cluster, "pod", "holder"))
        of_node = failed._replace(message=f"{card} has failed: {NOT_ALIVE}")
        assert of_node in described.events(cluster, "node", NODE)
        message = f"1 of 2 NPUs not healthy: {card} failed: {NOT_ALIVE}"
        assert described.condition(cluster, NODE, CONDITION) == ConditionRow("False", "NotAlive", message)
        *facts, since, pod, container = product.status(NODE)[npu]
        assert (*facts, pod, container) == (uuid, "failed", NOT_ALIVE, "default/holder", "linux")
        assert since.endswith("Z")
    well = EventRow("Normal", "NPUHealthy", PLUGIN, f"{told} is good now")
    cluster.wait("the pod to be told", lambda: well in described.events(cluster, "pod", "holder"))
    cluster.wait("the condition", lambda: described.condition(cluster, NODE, CONDITION) == WELL)
    assert well._replace(message=f"{card} is good now") in described.events(cluster, "node", NODE)


@contextmanager
def failing(product: Product, npu: str) -> Iterator[None]:
    """The card is not alive meanwhile."""
    product.simulations[NODE].tell("fail", npu)
    try:
        yield
    finally:
        product.simulations[NODE].tell("recover", npu)


def test_a_container_that_restarts_on_a_failed_card_is_refused_with_the_reason(
    workloads: Workloads, product: Product
) -> None:
    """`describe pod` says which card, and what of it."""
    restarting = npu_pod("restarting", {ALPHA: 1}, NODE)
    restarting["spec"]["restartPolicy"] = "Always"
    workloads.run(restarting)
    (npu,) = workloads.npus("restarting")
    refused = f"{ALPHA}: {npu} ({product.uuid(NODE, npu)}) has failed: {NOT_ALIVE}"
    with failing(product, npu):
        with suppress(CommandFailed):  # who asks may end with the container that it ends
            workloads.exec("restarting", "/bin/bash", "-c", "kill -TERM 1")
        product.cluster.wait(
            "the refusal",
            lambda: any(
                event.reason == "Failed" and "PreStartContainer" in event.message and event.message.endswith(refused)
                for event in described.events(product.cluster, "pod", "restarting")
            ),
        )


@pytest.mark.alone
def test_a_plugin_that_ends_leaves_unknown_behind(product: Product) -> None:
    """SIGTERM by the kubelet: nobody looks at the cards, until the next plugin does.

    It has 0.7 s for its last word, or leaves none (docs/architecture.md): one of a few ends is in time.
    """
    product.wait_until_offered()
    with watched_node(product.cluster, NODE) as states:
        assert any(said_at_an_end(product, states) == [("Unknown", "PluginStopped"), WELL[:2]] for _ in range(TRIES)), (
            said_of(states())
        )


def said_at_an_end(product: Product, states: Callable[[], list[dict[str, object]]]) -> list[tuple[str, str]]:
    """By the plugin that ends and the next one, which writes when it starts: what was there before has other times."""
    product.cluster.wait("the word of before", lambda: said_of(states())[-1:] == [WELL[:2]])
    before, written = len(said_of(states())), ours(states()[-1])[0]["lastHeartbeatTime"]

    def is_said_anew() -> bool:
        (now,) = ours(states()[-1])
        return (now["status"], now["reason"]) == WELL[:2] and now["lastHeartbeatTime"] != written

    product.restart_plugins()
    product.cluster.wait("the next plugin's word", is_said_anew)
    return said_of(states())[before:]


def said_of(states: list[dict[str, object]]) -> list[tuple[str, str]]:
    """Status and reason of our condition, each change once."""
    seen: list[tuple[str, str]] = []
    for node in states:
        now = [(one["status"], one["reason"]) for one in ours(node)]
        if seen[-1:] != now:
            seen += now
    return seen


def ours(node: dict[str, object]) -> list[dict[str, str]]:
    """The condition, where the node has it."""
    conditions = node["status"]["conditions"]  # type: ignore[index]
    return [one for one in conditions if one["type"] == CONDITION]


def test_the_four_commands_of_the_document_answer(workloads: Workloads, product: Product) -> None:
    """Typed as they stand there, beside the document's pod."""
    product.cluster.kubectl("apply", f"--filename={DEPLOYMENTS / 'npu-pod.yaml'}")
    workloads.wait_for("npu-pod", "Running")
    describe, *others = commands(REPOSITORY / "docs/why-pending.md")
    assigned = "Successfully assigned default/npu-pod to warboy-node0"
    product.cluster.wait(f"the event {assigned!r}", lambda: assigned in typed(product.cluster, describe))
    node, status, log = (typed(product.cluster, command) for command in others)
    assert f"\n  {CONDITION}  " in node
    assert status.split()[:7] == ["NAME", "UUID", "STATE", "REASON", "SINCE", "POD", "CONTAINER"]
    assert len(status.splitlines()) == 3
    assert "registered with the kubelet" in log
