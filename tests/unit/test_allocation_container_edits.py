"""What containers get: the variables and files of the user's document and of SDK 0.5.0 to 0.10."""

import pytest

from furiosa_npu.allocation.container_edits import DeviceNode, Mount, container_edits
from furiosa_npu.allocation.pe_form import PeForm
from furiosa_npu.hardware.reading import Reading, Roots
from tests.unit.readings import renegade, warboy

HOST = Roots("/dev", "/sys")


@pytest.mark.parametrize(
    ("cards", "form", "expected"),
    [
        ([warboy(0)], "fused", ("npu0pe0-1", "npu0", "pe0-1", "npu:0:0-1")),
        ([warboy(0)], "single", ("npu0pe0,npu0pe1", "npu0", "pe0,pe1", "npu:0:0,npu:0:1")),
        ([renegade(0)], "fused", ("npu0pe0-3,npu0pe4-7", "npu0", "pe0-3,pe4-7", "npu:0:0-3,npu:0:4-7")),
        (
            [warboy(10), warboy(2)],
            "fused",
            ("npu2pe0-1,npu10pe0-1", "npu2,npu10", "pe0-1,pe0-1", "npu:2:0-1,npu:10:0-1"),
        ),
    ],
)
def test_the_environment_names_the_cards_in_order_of_number(
    cards: list[Reading], form: PeForm, expected: tuple[str, str, str, str]
) -> None:
    """All four variables, for one card and several, fused and single."""
    names = ("NPU_DEVNAME", "NPU_NPUNAME", "NPU_PENAME", "FURIOSA_DEVICES")
    assert container_edits(cards, form, HOST, None).environment == dict(zip(names, expected, strict=True))


def test_a_warboy_comes_with_management_compute_files_and_channels() -> None:
    """Every file at the same place inside and outside."""
    expected = ["npu0", "npu0pe0", "npu0pe1", "npu0pe0-1", "npu0ch0", "npu0ch1", "npu0ch2", "npu0ch3", "npu0_mgmt"]
    nodes = container_edits([warboy(0)], "fused", HOST, None).device_nodes
    assert nodes == tuple(DeviceNode(f"/dev/{name}", f"/dev/{name}") for name in expected)


def test_a_renegade_comes_with_every_file_of_its_folder() -> None:
    """BARs too: its driver makes them device files."""
    card = renegade(3)
    nodes = container_edits([card], "fused", HOST, None).device_nodes
    assert nodes == tuple(DeviceNode(f"/dev/{file.path}", f"/dev/{file.path}") for file in card.device_files)


def test_other_roots_go_into_the_container_with_the_places_to_look() -> None:
    """A simulated tree: device files appear in /dev, sysfs at its own path, read-only."""
    edits = container_edits([warboy(0)], "fused", Roots("/run/sim/dev/", "/run/sim/sys"), "/opt/bin/furiosactl")
    assert edits.device_nodes[0] == DeviceNode("/run/sim/dev/npu0", "/dev/npu0")
    assert edits.mounts == (
        Mount("/opt/bin/furiosactl", "/usr/bin/furiosactl"),
        Mount("/run/sim/sys", "/run/sim/sys"),
    )
    assert edits.environment["FURIOSA_DEVFS_ROOT"] == "/dev"
    assert edits.environment["FURIOSA_SYSFS_ROOT"] == "/run/sim/sys"
