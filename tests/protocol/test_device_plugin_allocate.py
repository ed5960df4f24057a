"""What a container gets: the whole answer to Allocate, for each family and form."""

import pytest

from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import PodStatus
from furiosa_npu.hardware.reading import Family
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from tests.protocol.plugin_node import ALPHA, PLAIN, RESOURCES, card_id, cards, client, plugin_node, pod, refusal, said

WARBOY_FILES = ("", "pe0", "pe1", "pe0-1", "_mgmt", "ch0", "ch1", "ch2", "ch3")
RENEGADE_FILES = (
    *(f"pe{pes}" for pes in (*range(8), "0-1", "2-3", "4-5", "6-7", "0-3", "4-7")),
    *("mgmt", "bar0", "bar2", "bar4", "dmar", "p2pmem"),
    *(f"ch{channel}" for channel in range(8)),
    *(f"ch{channel}r" for channel in range(8)),
)

ENVIRONMENTS: list[tuple[tuple[Family, ...], str, dict[str, str]]] = [
    (
        ("warboy",),
        "fused",
        {
            "NPU_DEVNAME": "npu0pe0-1",
            "NPU_NPUNAME": "npu0",
            "NPU_PENAME": "pe0-1",
            "FURIOSA_DEVICES": "npu:0:0-1",
        },
    ),
    (
        ("warboy",),
        "single",
        {
            "NPU_DEVNAME": "npu0pe0,npu0pe1",
            "NPU_NPUNAME": "npu0",
            "NPU_PENAME": "pe0,pe1",
            "FURIOSA_DEVICES": "npu:0:0,npu:0:1",
        },
    ),
    (
        ("renegade",),
        "fused",
        {
            "NPU_DEVNAME": "npu0pe0-3,npu0pe4-7",
            "NPU_NPUNAME": "npu0",
            "NPU_PENAME": "pe0-3,pe4-7",
            "FURIOSA_DEVICES": "npu:0:0-3,npu:0:4-7",
        },
    ),
    (
        ("renegade",),
        "single",
        {
            "NPU_DEVNAME": ",".join(f"npu0pe{pe}" for pe in range(8)),
            "NPU_NPUNAME": "npu0",
            "NPU_PENAME": ",".join(f"pe{pe}" for pe in range(8)),
            "FURIOSA_DEVICES": ",".join(f"npu:0:{pe}" for pe in range(8)),
        },
    ),
    (
        ("warboy", "warboy"),
        "fused",
        {
            "NPU_DEVNAME": "npu0pe0-1,npu1pe0-1",
            "NPU_NPUNAME": "npu0,npu1",
            "NPU_PENAME": "pe0-1,pe0-1",
            "FURIOSA_DEVICES": "npu:0:0-1,npu:1:0-1",
        },
    ),
]


def _device_files(node: Node, family: Family, count: int) -> set[v1beta1.DeviceSpec]:
    """From the simulated devfs root to the same place under /dev."""
    folder, suffixes = ("", WARBOY_FILES) if family == "warboy" else ("rngd/", RENEGADE_FILES)
    names = [f"{folder}npu{index}{suffix}" for index in range(count) for suffix in suffixes]
    return {v1beta1.DeviceSpec(f"/dev/{name}", f"{node.simulation.roots.devfs}/{name}", "rw") for name in names}


@pytest.mark.parametrize(("families", "form", "environment"), ENVIRONMENTS)
async def test_the_answer_holds_files_mounts_and_environment(
    folder: str, families: tuple[Family, ...], form: str, environment: dict[str, str]
) -> None:
    """The cards' device files, furiosactl, and with simulated roots the sysfs root at its own path, read-only."""
    async with plugin_node(folder, cards(*families), "--default-pe", form) as node:
        asked = [card_id(number) for number in reversed(range(len(families)))]
        answer = await client(node, ALPHA).allocate(asked)
        sysfs = node.simulation.roots.sysfs
        assert dict(answer.envs) == {**environment, "FURIOSA_DEVFS_ROOT": "/dev", "FURIOSA_SYSFS_ROOT": sysfs}
        assert set(answer.devices) == _device_files(node, families[0], len(families))
        assert len(set(answer.devices)) == len(answer.devices)
        assert set(answer.mounts) == {
            v1beta1.Mount("/usr/bin/furiosactl", f"{node.host_tools_dir}/furiosactl", read_only=True),
            v1beta1.Mount(sysfs, sysfs, read_only=True),
        }


async def test_a_pod_is_asked_for_in_the_kubelets_order(folder: str) -> None:
    """GetPreferredAllocation with all that is free, Allocate of what was preferred, PreStartContainer with the same."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        assert await node.kubelet.run(pod("one", {PLAIN: 1})) == PodStatus("Running")
        calls = [
            call
            for method in ("GetPreferredAllocation", "Allocate", "PreStartContainer")
            for call in node.kubelet.journal.of(method)
        ]
        positions = [node.kubelet.journal.calls.index(call) for call in calls]
        assert positions == sorted(positions)
        (preferred, allocate, pre_start) = calls
        wanted = preferred.request.container_requests[0]
        assert wanted == v1beta1.ContainerPreferredAllocationRequest((card_id(0), card_id(1)), (), 1)
        given = preferred.answer.container_responses[0].device_ids
        assert allocate.request.container_requests[0].devices_ids == given
        assert pre_start.request.devices_ids == given
        assert len(given) == 1


async def test_one_container_gets_all_that_it_asks_for(folder: str) -> None:
    """Two cards in one container, from one Allocate."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        both = pod("both", {ALPHA: 2})
        assert await node.kubelet.run(both) == PodStatus("Running")
        assert node.kubelet.container(both, "app0").envs["NPU_DEVNAME"] == "npu0pe0-1,npu1pe0-1"
        assert len(node.kubelet.journal.of("Allocate")) == 1


async def test_containers_of_one_pod_get_different_cards(folder: str) -> None:
    """Two app containers, a card each."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        pair = pod("pair", {ALPHA: 1}, {ALPHA: 1})
        assert await node.kubelet.run(pair) == PodStatus("Running")
        names = {node.kubelet.container(pair, name).envs["NPU_NPUNAME"] for name in ("app0", "app1")}
        assert names == {"npu0", "npu1"}


async def test_a_container_that_asks_under_both_names_gets_both_cards(folder: str) -> None:
    """Two answers, of which the kubelet keeps one environment: the device files show both cards."""
    async with plugin_node(folder, cards("warboy", "warboy")) as node:
        both = pod("both-names", {ALPHA: 1, PLAIN: 1})
        assert await node.kubelet.run(both) == PodStatus("Running")
        given = node.kubelet.container(both, "app0")
        assert set(given.devices) == _device_files(node, "warboy", 2)
        assert given.envs["NPU_DEVNAME"] in ("npu0pe0-1", "npu1pe0-1")
        assert [mount.container_path for mount in given.mounts].count("/usr/bin/furiosactl") == 1


@pytest.mark.parametrize("resource", RESOURCES)
async def test_an_unknown_id_is_refused_by_name(folder: str, resource: str) -> None:
    """The refusal says which id, under which name, and which ones there are; what is known beside it is not taken."""
    async with plugin_node(folder, cards("warboy")) as node:
        reason = await refusal(node, resource, card_id(0), "no-such-card")
        assert "no-such-card" in reason
        assert resource in reason
        assert card_id(0) in reason
        other = PLAIN if resource == ALPHA else ALPHA
        assert (await client(node, other).allocate([card_id(0)])).envs["NPU_NPUNAME"] == "npu0"


async def test_without_a_static_furiosactl_cards_are_given_all_the_same(folder: str) -> None:
    """Installed by pip there is none: said once, with the path, and no mount."""
    async with plugin_node(folder, cards("warboy"), "--furiosactl", f"{folder}/no/furiosactl") as node:
        for _ in range(2):
            answer = await client(node, ALPHA).allocate([card_id(0)])
        assert [mount.container_path for mount in answer.mounts] == [node.simulation.roots.sysfs]
        assert len(said(node, f"{folder}/no/furiosactl")) == 1
