"""Cards given by CDI: the answer names devices, and the node's specification tells what they are before it is sent."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from furiosa_npu.cdi import spec_file
from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import PodStatus
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from tests.protocol.plugin_node import (
    ALPHA,
    PLAIN,
    SECONDS,
    card_id,
    cards,
    client,
    free_port,
    get,
    plugin_node,
    pod,
    refusal,
)
from tests.unit.cdi_rules import complaints

CDI = ("--injection", "cdi")


def specification_file(node: Node) -> str:
    return f"{node.cdi_dir}/furiosa.ai-npu.json"


def devices(node: Node) -> dict[str, Any]:
    """What the specification says of each device; a file that no runtime would take is an error."""
    with open(specification_file(node), encoding="utf-8") as file:
        document = json.load(file)
    assert complaints(document) == []
    assert document["kind"] == "furiosa.ai/npu"
    return {device["name"]: device["containerEdits"] for device in document["devices"]}


def folder_is_there(node: Node) -> bool:
    return os.path.exists(node.cdi_dir)


def names(node: Node) -> list[str]:
    """Of the devices in the specification; none where there is no file."""
    try:
        return list(devices(node))
    except FileNotFoundError:
        return []


async def until_names(node: Node, *expected: str) -> None:
    """The file is replaced by a process that tells nobody."""
    try:
        async with asyncio.timeout(SECONDS):
            while names(node) != [*expected]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {SECONDS:g} s: {expected}") from None


def write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")


def given(node: Node, answer: v1beta1.ContainerAllocateResponse) -> tuple[Any, ...]:
    """Device files, mounts and variables that the runtime makes of the answer, as a set each."""
    told = devices(node)
    named = [told[device.name.removeprefix("furiosa.ai/npu=")] for device in answer.cdi_devices]
    nodes = {(file["path"], file["hostPath"], file["permissions"]) for edits in named for file in edits["deviceNodes"]}
    mounts = {(mount["containerPath"], mount["hostPath"]) for edits in named for mount in edits["mounts"]}
    return (
        nodes,
        mounts,
        dict(variable.split("=", 1) for edits in named for variable in edits["env"]) | dict(answer.envs),
    )


async def test_a_container_gets_by_cdi_what_it_gets_by_device_files(folder: str) -> None:
    """The same device files, mounts and variables; the answer itself has the devices' names and the variables."""
    both = [card_id(1), card_id(0)]
    async with plugin_node(folder, cards("warboy", "warboy"), "--injection", "device-specs") as node:
        plain = await client(node, ALPHA).allocate(both)
        assert node.plugin is not None
        assert (await node.plugin.stop(), folder_is_there(node)) == (0, False)
        await node.until_allocatable(ALPHA, 0, SECONDS)
        await node.start_plugin(*CDI)
        await node.until_allocatable(ALPHA, 2, SECONDS)
        answer = await client(node, ALPHA).allocate(both)
        assert answer.cdi_devices == tuple(v1beta1.CDIDevice(f"furiosa.ai/npu={card}") for card in both)
        assert (answer.devices, answer.mounts) == ((), ())
        assert given(node, answer) == (
            {(file.container_path, file.host_path, file.permissions) for file in plain.devices},
            {(mount.container_path, mount.host_path) for mount in plain.mounts},
            plain.envs,
        )
        variables = {variable for edits in devices(node).values() for variable in edits["env"]}
        assert variables == {"FURIOSA_DEVFS_ROOT=/dev", f"FURIOSA_SYSFS_ROOT={node.simulation.roots.sysfs}"}


async def test_a_container_that_asks_under_both_names_gets_both_cards(folder: str) -> None:
    """Of two answers: the kubelet keeps one environment, and the devices of both."""
    async with plugin_node(folder, cards("warboy", "warboy"), *CDI) as node:
        asking = pod("both-names", {ALPHA: 1, PLAIN: 1})
        assert await node.kubelet.run(asking) == PodStatus("Running")
        paths = {path for path, _, _ in given(node, node.kubelet.container(asking, "app0"))[0]}
        assert {"/dev/npu0pe0-1", "/dev/npu1pe0-1"} <= paths


async def test_the_file_is_written_when_cards_change_and_not_otherwise(folder: str) -> None:
    """Pods come and go and it is the same file; a card with another number, one that is gone, one that is back."""
    async with Node(folder, cards("warboy", "renegade", "renegade")) as node:
        await node.start_plugin("--family=renegade", *CDI)
        await node.until_allocatable(ALPHA, 2, SECONDS)
        warboy, first, second = (card_id(number) for number in range(3))
        await until_names(node, warboy, first, second, "npu1")
        before = spec_file.identity(specification_file(node))
        for name in ("first", "second"):
            passing = pod(name, {ALPHA: 2})
            assert await node.kubelet.run(passing) == PodStatus("Running")
            await node.until_seen(passing, SECONDS)
            node.kubelet.end(passing)
            await node.until_allocatable(PLAIN, 2, SECONDS)
        assert spec_file.identity(specification_file(node)) == before
        node.simulation.renumber(first, 7)
        await until_names(node, warboy, "npu0", second, "npu1", first, "npu7")
        async with asyncio.timeout(SECONDS):
            # Its files come one by one.
            while devices(node)[first]["deviceNodes"][0]["path"] != "/dev/rngd/npu7pe0":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        node.simulation.remove(second)
        await until_names(node, warboy, "npu0", first, "npu7")
        node.simulation.add(second)
        await until_names(node, warboy, "npu0", second, "npu1", first, "npu7")
        node.simulation.unload_driver()
        await until_names(node)


async def test_a_file_that_is_gone_or_another_is_there_again_before_the_answer(folder: str) -> None:
    """Before Allocate, and before each start of a container: a reboot empties /var/run, and pods keep their cards."""
    async with plugin_node(folder, cards("warboy"), *CDI) as node:
        holder = pod("holder", {ALPHA: 1})
        assert await node.kubelet.run(holder) == PodStatus("Running")
        good = devices(node)
        os.unlink(specification_file(node))
        assert (await node.kubelet.start_container(holder, holder.containers[0])).phase == "Running"
        assert devices(node) == good
        write(specification_file(node), "{}")
        await client(node, ALPHA).allocate([card_id(0)])
        assert devices(node) == good
        assert os.listdir(node.cdi_dir) == ["furiosa.ai-npu.json"]


async def test_a_file_that_cannot_be_written_refuses_with_the_reason_and_takes_no_card(folder: str) -> None:
    """Path, what the system said, whose fault; the same in /readyz; and all is well once it can be written."""
    port = free_port()
    async with Node(folder, cards("warboy")) as node:
        write(node.cdi_dir, "")  # in the folder's place
        await node.start_plugin(*CDI, listen_address=f"127.0.0.1:{port}")
        await node.until_allocatable(ALPHA, 1, SECONDS)
        path = f"{specification_file(node)}: cannot be read: Not a directory: a part of the path is no folder"
        said = await refusal(node, ALPHA, card_id(0))
        assert said.endswith(f"no CDI specification to give a container its NPUs by: {path}")
        status, page = await get(port, "/readyz")
        assert (status, page) == (503, f"cdi: {path}: meanwhile no NPU is handed out\n")
        os.unlink(node.cdi_dir)
        answer = await client(node, PLAIN).allocate([card_id(0)])
        assert answer.cdi_devices == (v1beta1.CDIDevice(f"furiosa.ai/npu={card_id(0)}"),)
        assert (await get(port, "/readyz"))[0] == 200


async def test_a_card_that_no_specification_can_name_is_refused_by_cdi(folder: str) -> None:
    """The reason says what the driver calls it; the other card is given."""
    odd, good = cards("warboy", "warboy")
    async with plugin_node(folder, (odd._replace(uuid="odd name"), good), *CDI) as node:
        said = await refusal(node, ALPHA, "odd name")
        assert "not in the CDI specification" in said
        assert "npu0: its UUID is 'odd name', expected for CDI: letters, digits" in said
        assert (await client(node, ALPHA).allocate([card_id(1)])).cdi_devices != ()


@pytest.mark.parametrize("injection", ["device-specs", "auto"])
async def test_where_cdi_is_not_known_to_be_there_the_folder_is_left_alone(folder: str, injection: str) -> None:
    """No API server to ask: said in the log, once."""
    async with plugin_node(folder, cards("warboy"), "--injection", injection) as node:
        for _ in range(2):
            answer = await client(node, ALPHA).allocate([card_id(0)])
            assert (bool(answer.devices), answer.cdi_devices) == (True, ())
        assert not folder_is_there(node)
