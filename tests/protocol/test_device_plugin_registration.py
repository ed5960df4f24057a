"""How the plugin comes to the kubelet, and comes back: order and content of the calls."""

import os

from furiosa_npu.demo.node import Node
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.checkpoint import FILE_NAME
from tests.protocol.plugin_node import (
    ALPHA,
    PLAIN,
    RESOURCES,
    SECONDS,
    card_id,
    cards,
    methods,
    plugin_node,
    said,
    sockets,
    until,
    until_sockets,
)

OPTIONS = v1beta1.DevicePluginOptions(pre_start_required=True, get_preferred_allocation_available=True)


def _registrations(node: Node, resource: str) -> int:
    return len(node.kubelet.journal.of("Register", resource))


async def _until_back(node: Node, resource: str, registrations: int, allocatable: int = 2) -> None:
    """Registered so often in all, called back, and listed."""
    await until(node, lambda: _registrations(node, resource) >= registrations, f"{resource} registers again")
    await node.until_allocatable(resource, allocatable, SECONDS)


async def test_both_names_are_registered_called_back_and_listed(folder: str) -> None:
    """For each name: Register, with the options said there too, then GetDevicePluginOptions, then one stream."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        for resource in RESOURCES:
            calls = [call for call in node.kubelet.journal.calls if call.resource == resource]
            assert [call.method for call in calls][:3] == ["Register", "GetDevicePluginOptions", "ListAndWatch"]
            endpoint = calls[0].request.endpoint
            assert calls[0].request == v1beta1.RegisterRequest("v1beta1", endpoint, resource, OPTIONS)
            assert "/" not in endpoint
            assert endpoint in sockets(node)
            assert calls[1].answer == OPTIONS
            assert len([call for call in calls if call.method == "GetDevicePluginOptions"]) == 1


async def test_the_list_says_id_health_and_numa_node(folder: str) -> None:
    """Ids are UUIDs; a card without a NUMA node has no topology, which is not node 0."""
    simulated = tuple(
        card._replace(numa_node=node)
        for card, node in zip(cards("warboy", "warboy", "warboy"), (1, 0, -1), strict=True)
    )
    async with plugin_node(folder, simulated) as node:
        expected = {
            card_id(0): v1beta1.Device(card_id(0), "Healthy", v1beta1.TopologyInfo((v1beta1.NUMANode(1),))),
            card_id(1): v1beta1.Device(card_id(1), "Healthy", v1beta1.TopologyInfo((v1beta1.NUMANode(0),))),
            card_id(2): v1beta1.Device(card_id(2), "Healthy", None),
        }
        assert {resource: node.kubelet.books.lists[resource] for resource in RESOURCES} == {
            ALPHA: expected,
            PLAIN: expected,
        }


async def test_a_card_without_uuid_goes_by_its_pci_address(folder: str) -> None:
    """An early card says no UUID; the id must still survive a reboot."""
    (card,) = cards("warboy")
    async with plugin_node(folder, (card._replace(uuid="", pci_bdf="0000:6d:00.0"),)) as node:
        assert list(node.kubelet.books.lists[PLAIN]) == ["0000:6d:00.0"]


async def test_a_restarted_kubelet_is_registered_with_at_once(folder: str) -> None:
    """It deleted the plugin's sockets and has a new one of its own: both names come back, with sockets and lists."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        await node.kubelet.restart()
        for resource in RESOURCES:
            await _until_back(node, resource, 2)
            call = node.kubelet.journal.of("Register", resource)[-1]
            assert call.request.endpoint in sockets(node)


async def test_a_kubelet_that_comes_later_is_found(folder: str) -> None:
    """The plugin waits for the kubelet's socket, and registers when it appears."""
    async with Node(folder, cards("warboy", "warboy")) as node:
        await node.kubelet.stop()
        await node.start_plugin()
        await until_sockets(node, len(RESOURCES))
        await node.kubelet.start()
        for resource in RESOURCES:
            await _until_back(node, resource, 1)


async def test_a_removed_socket_is_made_anew_and_registered(folder: str) -> None:
    """Whoever removed it: the one name comes back on a new socket, the other is left alone."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        endpoint = node.kubelet.journal.of("Register", ALPHA)[0].request.endpoint
        os.unlink(f"{node.device_plugins_dir}/{endpoint}")
        await _until_back(node, ALPHA, 2)
        newer, plain = (node.kubelet.journal.of("Register", name)[-1].request.endpoint for name in (ALPHA, PLAIN))
        assert newer != endpoint
        assert sorted(sockets(node)) == sorted((newer, plain))
        assert _registrations(node, PLAIN) == 1


async def test_an_ended_stream_is_followed_by_a_registration(folder: str) -> None:
    """The kubelet never opens ListAndWatch again on its own; allocatable is 0 until the plugin registers."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        node.kubelet.hang_up(PLAIN)
        await _until_back(node, PLAIN, 2)
        assert _registrations(node, ALPHA) == 1
        order = [method for method, resource in methods(node) if resource == PLAIN]
        assert order[order.index("Register", 1) :][:3] == ["Register", "GetDevicePluginOptions", "ListAndWatch"]


async def test_a_refused_registration_is_said_and_tried_again(folder: str) -> None:
    """The log names the socket, the call and the kubelet's words; a kubelet that changes its mind gets the lists."""
    async with Node(folder, cards("warboy", "warboy")) as node:
        node.kubelet.refuses = "the moon is in the wrong house"
        await node.start_plugin()
        for resource in RESOURCES:
            await until(node, lambda name=resource: _registrations(node, name) >= 2, f"{resource} is tried again")  # type: ignore[misc]
        node.kubelet.refuses = None
        for resource in RESOURCES:
            await node.until_allocatable(resource, 2, SECONDS)
        lines = said(node, "the moon is in the wrong house")
        assert len(lines) == len(RESOURCES)
        assert all(f"{node.device_plugins_dir}/kubelet.sock" in line and "Register" in line for line in lines)


async def test_sigterm_removes_the_sockets_and_exits_with_0(folder: str) -> None:
    """A DaemonSet's pod that is replaced leaves nothing in the kubelet's folder, and its streams end."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        assert node.plugin is not None
        assert await node.plugin.stop() == 0
        assert sorted(os.listdir(node.device_plugins_dir)) == ["kubelet.sock", FILE_NAME]
        for resource in RESOURCES:
            await node.until_allocatable(resource, 0, SECONDS)
            assert node.kubelet.capacity(resource) == 2
