"""A plugin that comes back, by an upgrade or after a crash, neither forgets who holds a card nor robs a pod."""

import pytest

from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import PodStatus
from furiosa_npu.watch.memory_file import FILE_NAME
from tests.protocol.plugin_node import (
    ALPHA,
    HEALTHY,
    PLAIN,
    RESOURCES,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    plugin_node,
    pod,
    refusal,
    until,
    until_folder,
    until_health,
)


async def _restart(node: Node, how: str) -> None:
    assert node.plugin is not None
    await (node.plugin.stop() if how == "SIGTERM" else node.plugin.kill())
    for resource in RESOURCES:
        await node.until_allocatable(resource, 0, SECONDS)
    before = {resource: _lists(node, resource) for resource in RESOURCES}
    await node.start_plugin()
    # Until then the kubelet has the cards of the plugin that ended, all of them unhealthy.
    await until(
        node,
        lambda: all(_lists(node, resource) > before[resource] for resource in RESOURCES),
        "both names are listed again",
    )


def _lists(node: Node, resource: str) -> int:
    """How many came; the end of a stream is told in words."""
    return sum(not isinstance(call.answer, str) for call in node.kubelet.journal.of("ListAndWatch", resource))


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
async def test_a_restart_keeps_who_holds_what(folder: str, how: str) -> None:
    """What a pod holds stays its own under its name, and closed under the other, until it ends."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        holder = pod("holder", {ALPHA: 2})
        assert await node.kubelet.run(holder) == PodStatus("Running")
        await _restart(node, how)
        await until_health(node, ALPHA, HEALTHY, HEALTHY)
        await until_health(node, PLAIN, UNHEALTHY, UNHEALTHY)
        assert f"in use under the name {ALPHA}" in await refusal(node, PLAIN, card_id(1))
        assert (await node.kubelet.start_container(holder, holder.containers[0])).phase == "Running"
        node.kubelet.end(holder)
        await until_health(node, PLAIN, HEALTHY, HEALTHY)


async def test_a_restart_keeps_what_an_init_container_holds(folder: str) -> None:
    """Pod-resources does not show it, the checkpoint does."""
    async with plugin_node(folder, cards("warboy")) as node:
        alone = pod("alone", {}, init=({PLAIN: 1},))
        assert await node.kubelet.run(alone) == PodStatus("Running")
        await _restart(node, "SIGTERM")
        await until_health(node, PLAIN, HEALTHY)
        await until_health(node, ALPHA, UNHEALTHY)
        node.kubelet.end(alone)
        await until_health(node, ALPHA, HEALTHY)


async def test_a_restarted_kubelet_keeps_its_pods_cards(folder: str) -> None:
    """Its books come from the checkpoint: allocatable is back, the pod holds on, the other name stays closed."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        holder = pod("holder", {ALPHA: 1})
        assert await node.kubelet.run(holder) == PodStatus("Running")
        await node.kubelet.restart()
        await node.until_allocatable(ALPHA, 2, SECONDS)
        await node.until_allocatable(PLAIN, 1, SECONDS)
        assert await node.kubelet.run(pod("second", {ALPHA: 1})) == PodStatus("Running")
        await node.until_allocatable(PLAIN, 0, SECONDS)
        assert len({call.request for call in node.kubelet.journal.of("Allocate")}) == 2


async def test_a_restart_keeps_a_held_card_that_left_the_bus(folder: str) -> None:
    """The other name lists it unhealthy as before, and its pod's next container is told why it does not start."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        holder = pod("holder", {ALPHA: 2})
        assert await node.kubelet.run(holder) == PodStatus("Running")
        await node.until_seen(holder, SECONDS)
        node.simulation.remove("npu1")
        await until_folder(folder, lambda: '"state": "gone"' in _remembered(folder))
        await _restart(node, "SIGKILL")
        await until_health(node, PLAIN, UNHEALTHY, UNHEALTHY)
        await until_health(node, ALPHA, HEALTHY, HEALTHY)
        reason = await refusal(node, ALPHA, card_id(1))
        assert f"npu1 ({card_id(1)}) is gone: the driver shows neither device files" in reason


def _remembered(folder: str) -> str:
    with open(f"{folder}/{FILE_NAME}", encoding="utf-8") as file:
        return file.read()
