"""The vendor's own furiosa-smi reads the simulator's Renegade tree, and our reader agrees with it on every fact.

furiosa-smi reads /sys and /dev at their fixed places, so the tree is mounted over them in a mount namespace of its own:
that needs root. The library comes from PyPI once and stays in the cache folder of the tests.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.occupancy import pes_in_use
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.simulator import Simulation, parse_scenario
from tests.cluster.cache import cached

VERSION = "2026.4.0"
ASK = Path(__file__).parent / "ask_furiosa_smi.py"
MOUNT_AND_ASK = 'mount --bind "$1" /sys && mount --bind "$2" /dev && shift 2 && exec "$@"'

SCENARIO = """
cards:
  - {family: renegade, numa_node: -1, temperature_celsius: 71.5, power_watts: 142.25, pci_bdf: "0000:6d:00.0"}
  - {family: renegade, numa_node: 1, index: 5, uuid: A76AAD68-6855-40B1-9E86-D080852D1C84, serial: RNGD0236FH505}
  - {family: warboy}
"""
HOT, OTHER = "0000:6d:00.0", "A76AAD68-6855-40B1-9E86-D080852D1C84"

THROTTLE_REASONS = {
    0x1: "Idle",
    0x2: "ThermalSlowdown",
    0x4: "AppPowerCap",
    0x8: "AppClockCap",
    0x10: "HwClockCap",
    0x20: "HwBusLimit",
    0x40: "HwPowerCap",
    0x80: "GovClockCap",
    0x100: "OtherReason",
}
GOVERNORS = {"performance": "Performance", "powersave": "PowerSave"}


@pytest.fixture(scope="module")
def library() -> Path:
    """A folder with the vendor's library, for this Python."""
    assert os.geteuid() == 0, "these tests mount over /sys and /dev in a namespace of their own: run them as root"
    inputs = {"version": VERSION, "python": sys.implementation.cache_tag, "machine": os.uname().machine}
    return cached("furiosa-smi", inputs, _install)


def _install(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--only-binary=:all:", "--target", str(folder), f"furiosa-smi=={VERSION}"], check=True)


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation.create(str(tmp_path), parse_scenario(SCENARIO))


def _vendor(simulation: Simulation, library: Path) -> dict[str, Any]:
    """What furiosa-smi says of the tree. Any error of the library fails the test with what it wrote."""
    roots = simulation.roots
    namespace = ["unshare", "--mount", "sh", "-c", MOUNT_AND_ASK, "sh", roots.sysfs, roots.devfs]
    asked = subprocess.run(
        [*namespace, sys.executable, str(ASK)],
        env={"PYTHONPATH": str(library), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    told: dict[str, Any] = json.loads(asked.stdout)
    return told


def _ours(simulation: Simulation) -> list[dict[str, Any]]:
    """Our readings of the Renegades, in the vendor's words."""
    return [_as_vendor(reading) for reading in read_cards(simulation.roots) if reading.family == "renegade"]


def _as_vendor(reading: Reading) -> dict[str, Any]:
    assert reading.problems == ()
    assert reading.pci_link is not None
    link = reading.pci_link
    throttle = reading.throttle_reasons or 0
    ambient = next(sensor.value for sensor in reading.sensors if sensor.label == "AMBIENT")
    return {
        "name": reading.name,
        "arch": reading.device_type,
        "uuid": reading.uuid,
        "serial": reading.serial,
        "pci_bdf": reading.pci_bdf,
        "pci_dev": reading.pci_dev,
        "numa_node": -1 if reading.numa_node is None else reading.numa_node,
        "firmware_version": reading.firmware_version,
        "alive": reading.alive,
        "pe_occupancy": ["Occupied" if used else "Available" for used in pes_in_use(reading)],
        "device_files": sorted(
            [f"/dev/{file.path}", list(range(file.first_pe, file.last_pe + 1))]
            for file in reading.compute_files
            if file.first_pe is not None and file.last_pe is not None
        ),
        "temperature_celsius": reading.temperature_celsius,
        "ambient_celsius": ambient / 1000,
        "power_watts": reading.power_watts,
        "governor": GOVERNORS[reading.governor or ""],
        "throttle_reasons": [name for bit, name in THROTTLE_REASONS.items() if throttle & bit],
        "clocks_megahertz": [hertz // 1_000_000 for _, hertz in reading.clocks],
        "link": [link.width, link.max_width, link.speed_gts, link.max_speed_gts],
    }


def _agreed(simulation: Simulation, library: Path) -> list[dict[str, Any]]:
    """The vendor's devices, once everything that our reader knows too was found to be the same."""
    told = _vendor(simulation, library)
    ours = _ours(simulation)
    devices: list[dict[str, Any]] = sorted(told["devices"], key=lambda device: str(device["name"]))
    assert [{fact: device[fact] for fact in mine} for device, mine in zip(devices, ours, strict=True)] == ours
    versions = {reading.driver_version for reading in read_cards(simulation.roots) if reading.family == "renegade"}
    assert {told["driver"]} == versions
    return devices


def test_both_read_the_same_of_a_fresh_tree(simulation: Simulation, library: Path) -> None:
    """Identity, device files, sensors, NUMA node (none is -1), clocks, link, versions."""
    hot, other = _agreed(simulation, library)
    assert (hot["name"], hot["numa_node"], hot["temperature_celsius"], hot["power_watts"]) == ("npu0", -1, 71.5, 142.25)
    assert (other["name"], other["uuid"], other["pci_dev"]) == ("npu5", OTHER, "236:100")


def test_furiosa_smi_finds_what_a_renegade_is(simulation: Simulation, library: Path) -> None:
    """Facts that our reader does not have: PCI ids and class, eight PEs, 47.5 GiB of memory."""
    for device in _agreed(simulation, library):
        assert (device["pci_class"], device["pes"]) == ([0x1ED2, 0x0001, 0x12, 0x00], 8)
        assert device["memory_bytes"] == 8 * 6_375_342_080 == int(47.5 * 2**30)


def test_both_see_pes_in_use_and_their_counters_move(simulation: Simulation, library: Path) -> None:
    """Occupied by a single file and by a fused one."""
    simulation.occupy(HOT, ["0-1", "6"])
    simulation.advance(100_000)
    hot, other = _agreed(simulation, library)
    moved = 2_000_000_000 * 100_000
    assert hot["cycles"] == [moved, moved, 0, 0, 0, 0, moved, 0]
    assert [hot["pe_occupancy"].count("Occupied"), other["pe_occupancy"].count("Occupied")] == [3, 0]


def test_both_see_a_card_that_is_not_alive(simulation: Simulation, library: Path) -> None:
    """device_state as furiosa-smi's driver generation has it."""
    simulation.fail(OTHER)
    assert [device["alive"] for device in _agreed(simulation, library)] == [True, False]
    simulation.recover(OTHER)
    assert [device["alive"] for device in _agreed(simulation, library)] == [True, True]


@pytest.mark.parametrize("reasons", [0x0, 0x1, 0x22, 0x1FC])
def test_both_read_throttle_reasons_alike(simulation: Simulation, library: Path, reasons: int) -> None:
    """Each bit of the documented mask."""
    file = Path(simulation.roots.sysfs, "class/rngd_mgmt/rngd!npu0mgmt/throttle_reason")
    file.write_text(f"{reasons:#x}\n")
    hot, _ = _agreed(simulation, library)
    assert hot["throttle_reasons"] == [name for bit, name in THROTTLE_REASONS.items() if reasons & bit]


def test_a_governor_that_was_written_is_read_by_both(simulation: Simulation, library: Path) -> None:
    """The simulator takes it in as the driver does."""
    Path(simulation.roots.sysfs, "class/rngd_mgmt/rngd!npu0mgmt/npu_governor").write_text("powersave")
    simulation.advance(0)
    assert [device["governor"] for device in _agreed(simulation, library)] == ["PowerSave", "Performance"]


def test_a_removed_card_is_gone_for_both(simulation: Simulation, library: Path) -> None:
    """And back for both."""
    simulation.remove(HOT)
    assert [device["name"] for device in _agreed(simulation, library)] == ["npu5"]
    simulation.add(HOT)
    assert [device["name"] for device in _agreed(simulation, library)] == ["npu0", "npu5"]


def test_without_a_driver_both_find_the_bare_pci_devices(simulation: Simulation, library: Path) -> None:
    """No card to be used, and its address still told."""
    simulation.unload_driver()
    told = _vendor(simulation, library)
    driverless = [reading for reading in read_cards(simulation.roots) if reading.index is None]
    assert (told["devices"], told["driver"]) == ([], None)
    assert sorted(told["disabled"]) == sorted(r.pci_bdf or "" for r in driverless if r.family == "renegade")
