"""Every fault that the simulator brings, on the real plugin: the card is kept back with its sign, and comes back."""

from pathlib import Path

import pytest

from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import PodStatus
from furiosa_npu.hardware.reading import Family
from tests.protocol.plugin_node import (
    ALPHA,
    HEALTHY,
    RESOURCES,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    free_port,
    get,
    health,
    plugin_node,
    pod,
    refusal,
    until,
    until_folder,
    until_health,
)

FATAL: dict[str, tuple[Family, str]] = {
    "not-alive": ("renegade", "has failed: not alive"),
    "errors": ("warboy", "has failed: errors are counted: "),
    "heartbeat-reset": ("warboy", ""),  # failed for one look, then on probation
    "temperature=120": ("warboy", "has failed: sensor PEAK is over the bound of 100 °C"),
    "no-management": ("renegade", "is starting: "),
    "no-device-files": ("warboy", "is starting: "),
    "device-file-missing": ("warboy", "is starting: device file npu1pe0-1 is not there"),
    "malformed": ("renegade", "is unreadable: "),
    "malformed=atr_error": ("warboy", "is unreadable: "),
    "malformed=version": ("warboy", "is unreadable: "),
    "empty=alive": ("warboy", "is unreadable: "),
    "empty=device_uuid": ("warboy", "is unreadable: the driver shows no UUID for npu1, expected "),
    "missing=device_state": ("renegade", "is unreadable: "),
    "missing=busname": ("renegade", "is unreadable: "),
}
"""Fault to the family that has it here, and the words in which it is refused."""
LONGER = {"heartbeat-reset": ("--probation-seconds=10",)}
"""Options where nothing but the probation keeps the card back: so long that lists and refusal are seen in it."""
WARNINGS: dict[str, tuple[Family, str]] = {
    "link-narrow": ("warboy", "the PCIe link is x4 wide, expected x8"),
    "link-slow": ("renegade", "the PCIe link runs at 16 GT/s, expected 32"),
    "throttling=0x2": ("renegade", "the card is slowed down: thermal slowdown"),
}


@pytest.mark.parametrize("fault", FATAL)
async def test_a_card_with_a_fault_is_kept_back_and_comes_back(folder: str, fault: str) -> None:
    """The other card is offered all the time; after the fault it is again, without a restart of anything. Meanwhile the
    host has no more cards than before."""
    family, words = FATAL[fault]
    port = free_port()
    async with Node(folder, cards(family, family)) as node:
        node.simulation.advance(60)
        await node.start_plugin(*LONGER.get(fault, ()), listen_address=f"127.0.0.1:{port}")
        await node.until_allocatable(ALPHA, 2, SECONDS)
        await node.start_simulator()
        node.simulation.fail(card_id(1), fault)
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY, UNHEALTHY)
        assert f"npu1 ({card_id(1)}) {words}" in await refusal(node, ALPHA, card_id(1))
        _, page = await get(port, "/status")
        assert [line.split()[:2] for line in page.splitlines()[1:]] == [["npu0", card_id(0)], ["npu1", card_id(1)]]
        assert await node.kubelet.run(pod("other", {ALPHA: 1})) == PodStatus("Running")
        node.simulation.recover(card_id(1))
        await until_health(node, ALPHA, HEALTHY, HEALTHY)


@pytest.mark.parametrize("fault", WARNINGS)
async def test_a_warning_is_told_and_keeps_no_card_back(folder: str, fault: str) -> None:
    """In the status of the card, which stays idle."""
    family, words = WARNINGS[fault]
    port = free_port()
    async with Node(folder, cards(family)) as node:
        node.simulation.fail(card_id(0), fault)
        await node.start_plugin(listen_address=f"127.0.0.1:{port}")
        await node.until_allocatable(ALPHA, 1, SECONDS)
        status, page = await get(port, "/status")
        assert (status, page.splitlines()[0].split()) == (
            200,
            ["NAME", "UUID", "STATE", "REASON", "SINCE", "POD", "CONTAINER"],
        )
        (line,) = page.splitlines()[1:]
        assert line.split()[:3] == ["npu0", card_id(0), "idle"]
        assert words in line


async def test_a_card_is_replaced_and_renumbered_under_a_running_agent(folder: str) -> None:
    """By its UUID the kubelet knows which is which: the old one is gone, the new one is offered."""
    new = "00000000-0000-4000-8000-00000000beef"
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        node.simulation.replace("npu1", new)
        node.simulation.renumber("npu0", 7)
        wanted = {card_id(0): HEALTHY, new: HEALTHY}
        kubelet = node.kubelet
        await kubelet.journal.until(
            lambda: {device.id: device.health for device in kubelet.books.lists[ALPHA].values()} == wanted,
            f"listed as {wanted}",
            SECONDS,
        )
        assert "unknown device" in await refusal(node, ALPHA, card_id(1)) or "gone" in await refusal(
            node, ALPHA, card_id(1)
        )
        holder = pod("holder", {ALPHA: 2})
        assert await kubelet.run(holder) == PodStatus("Running")
        assert kubelet.container(holder, "app0").envs["NPU_NPUNAME"] == "npu1,npu7"


async def test_a_fault_is_remembered_by_the_next_agent(folder: str) -> None:
    """Killed in the middle, and the card well again meanwhile: it has to prove itself all the same."""
    options = ("--probation-seconds", "3600", "--probation-longest-seconds", "3600")
    port = free_port()
    async with Node(folder, cards("warboy", "warboy")) as node:
        plugin = await node.start_plugin(*options)
        await node.until_allocatable(ALPHA, 2, SECONDS)
        node.simulation.fail("npu1")
        await node.until_allocatable(ALPHA, 1, SECONDS)
        memory = Path(folder, "health.json")
        await until_folder(folder, lambda: memory.exists() and "not-alive" in memory.read_text())
        await plugin.kill()
        node.simulation.recover("npu1")
        await node.until_allocatable(ALPHA, 0, SECONDS)
        await node.start_plugin(*options, listen_address=f"127.0.0.1:{port}")
        await node.until_allocatable(ALPHA, 1, SECONDS)
        _, page = await get(port, "/status")
        assert [line.split()[:3] for line in page.splitlines()[1:]] == [
            ["npu0", card_id(0), "idle"],
            ["npu1", card_id(1), "probation"],
        ]


async def test_a_driver_that_is_loaded_after_the_agent_brings_its_cards(folder: str) -> None:
    """Not a trace of an NPU at the start: registered with nothing to offer, ready, and the cards come when they do."""
    port = free_port()
    async with Node(folder, cards("warboy", "warboy")) as node:
        node.simulation.unload_driver()
        await node.start_plugin(listen_address=f"127.0.0.1:{port}")
        for resource in RESOURCES:
            await until(node, lambda name=resource: name in node.kubelet.books.lists, f"{resource} is listed")  # type: ignore[misc]
            assert health(node, resource) == {}
        assert await get(port, "/readyz") == (200, "ok\n")
        node.simulation.load_driver()
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY, HEALTHY)
        assert await node.kubelet.run(pod("first", {ALPHA: 2})) == PodStatus("Running")
        assert len(node.kubelet.journal.of("Register", ALPHA)) == 1
