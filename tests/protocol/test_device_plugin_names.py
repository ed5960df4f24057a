"""Two resource names over one pool: what is in use under one is neither offered nor given under the other."""

import asyncio
import json

import pytest

from furiosa_npu.demo import checkpoint_file
from furiosa_npu.demo.node import Node
from furiosa_npu.demo.plugin_client import PluginError
from furiosa_npu.demo.pods import Pod, PodStatus
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.checkpoint import FILE_NAME
from furiosa_npu.kubelet.deviceplugin_v1beta1 import ContainerAllocateResponse
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


async def _run(node: Node, *pods: Pod) -> None:
    """The pods run, one after another, and the plugin has since been shown them."""
    for each in pods:
        status = await node.kubelet.run(each)
        assert status.phase == "Running", status
        await node.until_seen(each, SECONDS)


async def test_in_use_under_one_name_is_unhealthy_under_the_other(folder: str) -> None:
    """So allocatable tells the truth under both; capacity stays."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        assert await node.kubelet.run(pod("one", {ALPHA: 1})) == PodStatus("Running")
        (given,) = node.kubelet.journal.of("Allocate")[0].request.container_requests[0].devices_ids
        expected = [UNHEALTHY if card_id(number) == given else HEALTHY for number in (0, 1)]
        await until_health(node, PLAIN, *expected)
        assert health(node, ALPHA) == {card_id(0): HEALTHY, card_id(1): HEALTHY}
        assert [(node.kubelet.capacity(name), node.kubelet.allocatable(name)) for name in RESOURCES] == [(2, 2), (2, 1)]


@pytest.mark.parametrize("resource", RESOURCES)
async def test_a_second_allocate_is_answered_under_the_same_name_only(folder: str, resource: str) -> None:
    """The kubelet keeps the books of one name; under the other the refusal says who has the card."""
    other = PLAIN if resource == ALPHA else ALPHA
    async with plugin_node(folder, cards("warboy")) as node:
        first = await client(node, resource).allocate([card_id(0)])
        assert await client(node, resource).allocate([card_id(0)]) == first
        reason = await refusal(node, other, card_id(0))
        assert f"in use under the name {resource}" in reason
        assert "npu0" in reason
        assert card_id(0) in reason


async def test_under_two_names_in_one_instant_one_is_answered(folder: str) -> None:
    """The last card, asked for under both names at once: one answer, and one refusal that names the other."""
    async with plugin_node(folder, cards("warboy")) as node:
        answers = await asyncio.gather(
            *(client(node, resource).allocate([card_id(0)]) for resource in RESOURCES), return_exceptions=True
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["ContainerAllocateResponse", "PluginError"]
        given = next(name for name, answer in zip(RESOURCES, answers, strict=True) if not isinstance(answer, Exception))
        refused = next(answer for answer in answers if isinstance(answer, PluginError))
        assert f"in use under the name {given}" in str(refused)
        assert isinstance(next(a for a in answers if a is not refused), ContainerAllocateResponse)


async def test_two_pods_for_the_last_card_under_one_name(folder: str) -> None:
    """One runs; the scheduler keeps the other Pending, and the plugin is asked once."""
    async with plugin_node(folder, cards("warboy")) as node:
        first, second = pod("first", {PLAIN: 1}), pod("second", {PLAIN: 1})
        statuses = await asyncio.gather(node.kubelet.run(first), node.kubelet.run(second))
        assert [status.phase for status in statuses] == ["Running", "Pending"]
        assert f"Insufficient {PLAIN}" in statuses[1].message
        assert len(node.kubelet.journal.of("Allocate")) == 1


async def test_two_pods_for_the_last_card_under_two_names(folder: str) -> None:
    """One runs; the other, which the scheduler let pass, fails at admission with our reason, and robs nobody."""
    async with plugin_node(folder, cards("warboy")) as node:
        first, second = pod("first", {ALPHA: 1}), pod("second", {PLAIN: 1})
        statuses = await asyncio.gather(node.kubelet.run(first), node.kubelet.run(second))
        assert [status.phase for status in statuses] == ["Running", "Failed"]
        assert statuses[1].reason == "UnexpectedAdmissionError"
        assert "in use under the name alpha.furiosa.ai/npu" in statuses[1].message
        assert (await node.kubelet.start_container(first, first.containers[0])).phase == "Running"


async def test_the_preferred_card_is_one_that_will_not_be_refused(folder: str) -> None:
    """A kubelet whose list is older than an Allocate under the other name is steered to the card that is free."""
    async with plugin_node(folder, cards("warboy", "warboy", "warboy")) as node:
        await client(node, ALPHA).allocate([card_id(0)])
        ids = [card_id(number) for number in range(3)]
        assert await client(node, PLAIN).preferred(ids, [], 1) != (card_id(0),)
        assert set(await client(node, PLAIN).preferred(ids, [], 2)) == {card_id(1), card_id(2)}
        assert set(await client(node, PLAIN).preferred(ids, [card_id(0)], 2)) > {card_id(0)}


async def test_preferred_cards_are_close_to_each_other(folder: str) -> None:
    """Two of four on one NUMA node, and with one that must be included its neighbour."""
    async with plugin_node(folder, cards("warboy", "warboy", "warboy", "warboy")) as node:
        ids = [card_id(number) for number in range(4)]
        pairs = [{card_id(0), card_id(2)}, {card_id(1), card_id(3)}]
        assert set(await client(node, ALPHA).preferred(ids, [], 2)) in pairs
        assert set(await client(node, ALPHA).preferred(ids, [card_id(3)], 2)) == pairs[1]


async def test_an_impossible_preference_degrades(folder: str) -> None:
    """An error here would fail the pod: what is unknown and what is too much is answered with what there is."""
    async with plugin_node(folder, cards("warboy")) as node:
        assert await client(node, ALPHA).preferred([card_id(0)], [], 5) == (card_id(0),)
        assert await client(node, ALPHA).preferred(["no-such-card"], ["nor-this"], 1) == ("nor-this",)
        assert await client(node, ALPHA).preferred([], [], 1) == ()


async def test_what_a_pod_gave_back_is_offered_under_the_other_name(folder: str) -> None:
    """Nobody tells the plugin: it asks pod-resources, and lists the card."""
    async with plugin_node(folder, cards("warboy")) as node:
        gone = pod("gone", {ALPHA: 1})
        await _run(node, gone)
        await until_health(node, PLAIN, UNHEALTHY)
        node.kubelet.end(gone)
        await until_health(node, PLAIN, HEALTHY)
        assert await node.kubelet.run(pod("next", {PLAIN: 1})) == PodStatus("Running")


async def test_an_init_containers_card_is_learned_from_the_checkpoint(folder: str) -> None:
    """Pod-resources never shows it: while the pod lives it stays held, and once it is over it is offered again."""
    port = free_port()
    async with plugin_node(folder, cards("warboy"), "--listen-address", f"127.0.0.1:{port}") as node:
        alone = pod("alone", {}, init=({ALPHA: 1},))
        await _run(node, alone)
        lists = len(node.kubelet.journal.of("ListAndWatch", ALPHA))
        asked = len(node.kubelet.journal.of("List"))
        await until(
            node,
            lambda: (
                len(node.kubelet.journal.of("List")) > asked + 2
                and len(node.kubelet.journal.of("ListAndWatch", ALPHA)) > lists + 2
            ),
            "the plugin has asked and sent its list again, twice",
        )
        assert health(node, PLAIN) == {card_id(0): UNHEALTHY}
        _, page = await get(port, "/status")
        assert page.splitlines()[1].split()[-2:] == ["uid:uid-alone", "init0"]
        _, page = await get(port, "/metrics")
        assert 'namespace="",pod="uid:uid-alone",container="init0"' in page
        node.kubelet.end(alone)
        await until_health(node, PLAIN, HEALTHY)
        assert await node.kubelet.run(pod("next", {PLAIN: 1})) == PodStatus("Running")


async def test_an_init_containers_card_goes_on_to_the_app_container(folder: str) -> None:
    """A second Allocate of the same id under the same name, answered alike."""
    async with plugin_node(folder, cards("warboy")) as node:
        both = pod("both", {ALPHA: 1}, init=({ALPHA: 1},))
        await _run(node, both)
        answers = [call.answer for call in node.kubelet.journal.of("Allocate")]
        assert len(answers) == 2
        assert answers[0] == answers[1]
        ids = [call.request.devices_ids for call in node.kubelet.journal.of("PreStartContainer")]
        assert ids == [(card_id(0),), (card_id(0),)]


async def test_a_container_that_starts_holds_its_card_under_its_name(folder: str) -> None:
    """Of a card that the kubelet's books had dropped between a pod's containers: closed under the other name again."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        await client(node, ALPHA).pre_start([card_id(0)])
        await until_health(node, PLAIN, UNHEALTHY, HEALTHY)
        assert health(node, ALPHA) == {card_id(0): HEALTHY, card_id(1): HEALTHY}
        words = f"{PLAIN}: npu0 ({card_id(0)}) is in use under the name {ALPHA}"
        assert words in await refusal(node, PLAIN, card_id(0))
        with pytest.raises(PluginError, match="is in use under the name"):
            await client(node, PLAIN).pre_start([card_id(0)])
        assert (await client(node, ALPHA).allocate([card_id(0)])).envs["NPU_NPUNAME"] == "npu0"


async def test_a_refused_start_holds_nothing(folder: str) -> None:
    """Neither of the card that failed nor of the good one beside it: both names are answered for that."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        node.simulation.fail("npu1")
        with pytest.raises(PluginError, match="not alive"):
            await client(node, ALPHA).pre_start([card_id(0), card_id(1)])
        for resource in RESOURCES:
            await until_health(node, resource, HEALTHY, UNHEALTHY)
        assert (await client(node, PLAIN).allocate([card_id(0)])).envs["NPU_NPUNAME"] == "npu0"


async def test_a_pod_under_the_same_name_does_not_wait_to_be_noticed(folder: str) -> None:
    """A Job's pods back to back: the kubelet gives the card on before the plugin saw the last pod's end."""
    async with plugin_node(folder, cards("warboy")) as node:
        for number in range(4):
            each = pod(f"job-{number}", {PLAIN: 1})
            assert await node.kubelet.run(each) == PodStatus("Running")
            node.kubelet.end(each)
        assert [type(call.answer) for call in node.kubelet.journal.of("Allocate")] == [v1beta1.AllocateResponse] * 4


async def test_the_kubelets_checkpoint_tells_the_truth_in_the_end(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubelet writes it without its lock: the older of two copies may be written last, and nothing would renew it."""
    write, last = checkpoint_file.write, dict[str, str]()

    def one_behind(path: str, text: str) -> None:
        write(path, last.get(path, text))
        last[path] = text

    monkeypatch.setattr(checkpoint_file, "write", one_behind)
    async with plugin_node(folder, cards("warboy")) as node:
        holder = pod("holder", {ALPHA: 1})
        await _run(node, holder)
        await until_health(node, PLAIN, UNHEALTHY)
        node.kubelet.end(holder)
        await until_health(node, PLAIN, HEALTHY)
        await until_folder(
            node.device_plugins_dir, lambda: _offered(node) == {ALPHA: [card_id(0)], PLAIN: [card_id(0)]}
        )


def _offered(node: Node) -> dict[str, list[str]]:
    """By the checkpoint."""
    with open(f"{node.device_plugins_dir}/{FILE_NAME}", encoding="utf-8") as file:
        found: dict[str, list[str]] = json.load(file)["Data"]["RegisteredDevices"]
    return found
