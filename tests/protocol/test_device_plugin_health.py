"""Cards that go bad: who is told, what is refused, and what a pod that holds one costs the others."""

from collections.abc import Callable

import pytest

from furiosa_npu.demo.node import Node
from furiosa_npu.demo.plugin_client import PluginError
from furiosa_npu.demo.pods import PodStatus
from tests.protocol.plugin_node import (
    ALPHA,
    HEALTHY,
    PLAIN,
    RESOURCES,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    client,
    health,
    plugin_node,
    pod,
    refusal,
    said,
    until,
    until_health,
)

BAD: dict[str, Callable[[Node, str], object]] = {
    "not alive": lambda node, npu: node.simulation.fail(npu),
    "PCI has no such device": lambda node, npu: node.simulation.remove(npu),
    "setting disable": lambda node, npu: _write(f"{node.folder}/config.yaml", f"disable: [{npu}]\n"),
}
"""What is said of a card that went bad, and how it did."""


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


async def test_a_card_that_fails_is_refused_at_once(folder: str) -> None:
    """Before any list said so: Allocate and PreStartContainer look once more, and say what the driver says."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        node.simulation.fail("npu0")
        for resource in RESOURCES:
            assert "npu0" in (reason := await refusal(node, resource, card_id(0)))
            assert "not alive" in reason
            with pytest.raises(PluginError, match="not alive"):
                await client(node, resource).pre_start([card_id(0)])
            assert (await client(node, resource).preferred([card_id(0), card_id(1)], [], 1)) != ()
        assert (await client(node, ALPHA).allocate([card_id(1)])).envs["NPU_NPUNAME"] == "npu1"


async def test_a_card_that_fails_is_listed_unhealthy_and_recovers(folder: str) -> None:
    """Under both names; the other card stays as it is."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        node.simulation.fail("npu1")
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY, UNHEALTHY)
        node.simulation.recover("npu1")
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY, HEALTHY)


async def test_one_card_of_several_refuses_them_all(folder: str) -> None:
    """A container that asks for two gets none with a bad one among them, and the good one stays free."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        node.simulation.fail("npu1")
        assert "npu1" in await refusal(node, ALPHA, card_id(0), card_id(1))
        assert (await client(node, PLAIN).allocate([card_id(0)])).envs["NPU_NPUNAME"] == "npu0"


@pytest.mark.parametrize("reason", BAD)
async def test_a_held_card_gone_bad_takes_no_good_one_away(folder: str, reason: str) -> None:
    """Two cards, one held, which then goes bad: it stays Healthy under its name, and a second pod runs on the other."""
    _write(f"{folder}/config.yaml", "disable: []\n")
    async with plugin_node(folder, cards("warboy", "warboy"), "--config", f"{folder}/config.yaml") as node:
        holder = pod("holder", {ALPHA: 1})
        assert await node.kubelet.run(holder) == PodStatus("Running")
        await node.until_seen(holder, SECONDS)
        npu = node.kubelet.container(holder, "app0").envs["NPU_NPUNAME"]
        BAD[reason](node, npu)
        asked = len(node.kubelet.journal.of("List"))
        await until(node, lambda: len(node.kubelet.journal.of("List")) > asked + 2, "the plugin has looked twice")
        assert set(health(node, ALPHA).values()) == {HEALTHY}
        assert await node.kubelet.run(pod("second", {ALPHA: 1})) == PodStatus("Running")
        status = await node.kubelet.start_container(holder, holder.containers[0])
        assert (status.phase, status.reason) == ("Pending", "CreateContainerConfigError")
        assert npu in status.message
        assert reason in status.message


async def test_a_card_that_is_unplugged_and_free_is_no_longer_listed(folder: str) -> None:
    """Leaving it out lowers capacity; a card that comes back is listed again."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        node.simulation.remove("npu1")
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY)
        node.simulation.add(card_id(1))
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY, HEALTHY)


async def test_a_card_in_use_by_a_stranger_is_not_offered(folder: str) -> None:
    """A process outside of pods has it open: Unhealthy, refused with that reason, and offered again when it closes."""
    async with plugin_node(folder, cards("renegade", "renegade")) as node:
        node.simulation.occupy("npu0")
        for resource in RESOURCES:
            await until_health(node, resource, UNHEALTHY, HEALTHY)
        assert "in use by a process" in await refusal(node, ALPHA, card_id(0))
        node.simulation.release("npu0")
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY, HEALTHY)


async def test_a_pod_at_work_on_its_card_is_no_stranger(folder: str) -> None:
    """The held card is occupied by its pod: it stays listed, and its container may start anew."""
    async with plugin_node(folder, cards("renegade")) as node:
        worker = pod("worker", {ALPHA: 1})
        assert await node.kubelet.run(worker) == PodStatus("Running")
        await node.until_seen(worker, SECONDS)
        node.simulation.occupy("npu0")
        await node.until_seen(worker, SECONDS)
        await node.until_seen(worker, SECONDS)
        assert health(node, ALPHA) == {card_id(0): HEALTHY}


async def test_the_other_family_is_not_offered(folder: str) -> None:
    """A node with both is a Warboy node: its Renegade is disabled, and the refusal says by which option."""
    async with Node(folder, cards("warboy", "renegade")) as node:
        await node.start_plugin()
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY, UNHEALTHY)
        assert "--family" in await refusal(node, ALPHA, card_id(1))


async def test_family_says_which_cards_are_offered(folder: str) -> None:
    """With --family renegade it is the Warboy that is disabled."""
    async with Node(folder, cards("warboy", "renegade")) as node:
        await node.start_plugin("--family", "renegade")
        for resource in RESOURCES:
            await until_health(node, resource, UNHEALTHY, HEALTHY)
        assert (await client(node, PLAIN).allocate([card_id(1)])).envs["NPU_DEVNAME"] == "npu0pe0-3,npu0pe4-7"


@pytest.mark.parametrize("called", [card_id(0), card_id(0).upper(), "0000:01:00.0", "npu0"])
async def test_a_disabled_card_is_listed_unhealthy(folder: str, called: str) -> None:
    """By UUID, PCI address or name; the reason of the refusal names the setting."""
    async with Node(folder, cards("warboy", "warboy")) as node:
        await node.start_plugin("--disable", called)
        for resource in RESOURCES:
            await until_health(node, resource, UNHEALTHY, HEALTHY)
        assert "disable" in await refusal(node, ALPHA, card_id(0))
        assert said(node, "no card of this node goes by") == []


async def test_an_entry_of_disable_that_no_card_goes_by_is_in_the_log(folder: str) -> None:
    """With the cards that are there, which are offered."""
    async with plugin_node(folder, cards("warboy", "warboy"), "--disable", f"{card_id(0)}X") as node:
        await until_health(node, ALPHA, HEALTHY, HEALTHY)
        (line,) = said(node, f"no card of this node goes by {card_id(0)}X; there are npu0 ({card_id(0)}, 0000:01:00.0)")
        assert "part=disable" in line
