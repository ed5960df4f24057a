"""`--injection auto`: the plugin asks once what runs on its node, and goes by CDI where kubelet and runtime know it."""

import os
from pathlib import Path

import pytest

from furiosa_npu.demo.node import Node
from tests.protocol.api_server import ApiServer, api_server
from tests.protocol.plugin_node import ALPHA, SECONDS, card_id, cards, client, plugin_node, said
from tests.protocol.test_device_plugin_cdi import folder_is_there, write
from tests.protocol.test_device_plugin_told import eventually, options

BY_CDI = "cards reach containers by CDI"
AS_FILES = "cards reach containers as device files, not by CDI"
NEW = {"kubeletVersion": "v1.37.2", "containerRuntimeVersion": "containerd://2.4.2"}
OLD = {"kubeletVersion": "v1.20.2", "containerRuntimeVersion": "containerd://1.6.20"}


async def _is_by_cdi(node: Node) -> bool:
    answer = await client(node, ALPHA).allocate([card_id(0)])
    assert bool(answer.devices) != bool(answer.cdi_devices)
    return bool(answer.cdi_devices)


def _asked(server: ApiServer) -> list[str]:
    return [seen.path for seen in server.seen if seen.method == "GET"]


async def test_a_new_node_gets_its_cards_by_cdi(folder: str, tmp_path: Path) -> None:
    """By the node's own status, read once; a 100 KiB of images stays with the child."""
    with api_server() as server:
        server.nodes["n1"], server.node_info["n1"] = {}, NEW
        async with plugin_node(folder, cards("warboy"), *options(tmp_path, server.url)) as node:
            await eventually(lambda: bool(said(node, BY_CDI)), BY_CDI)
            assert "kubelet v1.37.2, containerd://2.4.2" in said(node, BY_CDI)[0]
            assert os.listdir(node.cdi_dir) == ["furiosa.ai-npu.json"]
            assert await _is_by_cdi(node)
            assert (_asked(server), said(node, AS_FILES)) == (["/api/v1/nodes/n1"], [])


@pytest.mark.parametrize(
    ("node_info", "reason"),
    [
        (OLD, "the node's kubeletVersion is 'v1.20.2', expected for CDI: v1.31 or newer"),
        (
            NEW | {"containerRuntimeVersion": "containerd://1.7.27"},
            "the node's containerRuntimeVersion is 'containerd://1.7.27', expected for CDI: containerd://2.0 or newer",
        ),
        ({}, "status.nodeInfo: found {}, expected an object with kubeletVersion and containerRuntimeVersion"),
        (None, "status.nodeInfo: found None, expected an object with kubeletVersion and containerRuntimeVersion"),
    ],
)
async def test_a_node_that_is_older_or_does_not_say_gets_device_files(
    folder: str, tmp_path: Path, node_info: dict[str, str] | None, reason: str
) -> None:
    """With the reason, said once."""
    with api_server() as server:
        server.nodes["n1"] = {}
        if node_info is not None:
            server.node_info["n1"] = node_info
        async with plugin_node(folder, cards("warboy"), *options(tmp_path, server.url)) as node:
            await eventually(lambda: bool(said(node, AS_FILES)), AS_FILES)
            assert not await _is_by_cdi(node)
            (line,) = said(node, AS_FILES)
            assert reason in line
            assert (_asked(server), folder_is_there(node)) == (["/api/v1/nodes/n1"], False)


async def test_without_the_right_to_read_the_node_cards_come_as_device_files(folder: str, tmp_path: Path) -> None:
    """The right is named, and nobody is asked again."""
    with api_server() as server:
        server.nodes["n1"], server.node_info["n1"] = {}, NEW
        server.answers["GET /api/v1/nodes/"] = (403, {"message": "no"})
        async with plugin_node(folder, cards("warboy"), *options(tmp_path, server.url)) as node:
            await eventually(lambda: bool(said(node, AS_FILES)), AS_FILES)
            assert "the right to get nodes is missing (ClusterRole and its binding)" in said(node, AS_FILES)[0]
            assert not await _is_by_cdi(node)
            assert _asked(server) == ["/api/v1/nodes/n1"]


async def test_an_api_server_that_comes_back_later_is_asked_then(folder: str, tmp_path: Path) -> None:
    """Device files until it answers, which after a reboot can take a while; said once."""
    with api_server() as server:
        server.nodes["n1"], server.node_info["n1"] = {}, NEW
        server.answers["GET /api/v1/nodes/"] = (503, {"message": "not yet"})
        async with plugin_node(folder, cards("warboy"), *options(tmp_path, server.url)) as node:
            await eventually(lambda: len(_asked(server)) > 1, "asked again")
            assert not await _is_by_cdi(node)
            (line,) = said(node, AS_FILES)
            assert "503 (not yet): it has trouble of its own" in line
            server.answers.clear()
            await eventually(lambda: bool(said(node, BY_CDI)), BY_CDI)
            assert await _is_by_cdi(node)


async def test_a_new_node_whose_folder_cannot_be_written_gets_device_files(folder: str, tmp_path: Path) -> None:
    """Such as a pod of an older manifest, which mounts no folder for it: its pods get their cards all the same."""
    with api_server() as server:
        server.nodes["n1"], server.node_info["n1"] = {}, NEW
        async with Node(folder, cards("warboy")) as node:
            write(node.cdi_dir, "")
            await node.start_plugin(*options(tmp_path, server.url))
            await node.until_allocatable(ALPHA, 1, SECONDS)
            await eventually(lambda: bool(said(node, AS_FILES)), AS_FILES)
            (line,) = said(node, AS_FILES)
            assert f"{node.cdi_dir}/furiosa.ai-npu.json: cannot be read: Not a directory" in line
            assert not await _is_by_cdi(node)


async def test_whoever_says_how_is_not_asked_about(folder: str, tmp_path: Path) -> None:
    """Both ways are taken as said, whatever the node is."""
    with api_server() as server:
        server.nodes["n1"], server.node_info["n1"] = {}, OLD
        for injection, by_cdi in (("cdi", True), ("device-specs", False)):
            place = f"{folder}/{injection}"
            os.mkdir(place)
            told = (*options(tmp_path, server.url), "--injection", injection)
            async with plugin_node(place, cards("warboy"), *told) as node:
                assert await _is_by_cdi(node) is by_cdi
        assert _asked(server) == []
