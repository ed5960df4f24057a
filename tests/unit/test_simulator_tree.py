"""What the tree of a simulated card shows, held against the drivers' documentation."""

from furiosa_npu.simulator import changes, parse_scenario
from furiosa_npu.simulator.majors import choose_majors, parse_taken_majors
from furiosa_npu.simulator.nodes import Device, Link, Text, Tree, link_between
from furiosa_npu.simulator.state import CardState, State
from furiosa_npu.simulator.tree import render

MAJORS = choose_majors(())


def _state(scenario: str) -> State:
    cards = tuple(CardState(card) for card in parse_scenario(scenario))
    return State(cards, True, MAJORS)


def _texts(tree: Tree, folder: str) -> dict[str, str]:
    """Files directly in a folder, their text without the last line end."""
    return {
        path.removeprefix(f"{folder}/"): node.content.removesuffix("\n")
        for path, node in tree.items()
        if isinstance(node, Text) and path.rpartition("/")[0] == folder
    }


ATR_ERROR = "\n".join(
    [
        *(f"AXI {what}: 0" for what in ("Post Error", "Fetch Error", "Discard Error", "Doorbell done")),
        *(f"PCIe {what}: 0" for what in ("Post Error", "Fetch Error", "Discard Error", "Doorbell done")),
        "Device Error: 0",
    ]
)
IDENTITY = "uuid: A76AAD68-6855-40B1-9E86-D080852D1C84, serial: WBYB0236FH505KREO, pci_bdf: 0000:6d:00.0"


def test_a_warboy_shows_the_documented_management_files() -> None:
    """Names, texts and forms of `/sys/class/npu_mgmt/npu1_mgmt`."""
    tree = render(_state(f"cards: [{{family: warboy, index: 1, {IDENTITY}}}]"))
    assert _texts(tree, "sys/devices/virtual/npu_mgmt/npu1_mgmt") == {
        "platform_type": "FuriosaAI",
        "device_type": "Warboy",
        "soc_rev": "B0",
        "alive": "1",
        "heartbeat": "0",
        "atr_error": ATR_ERROR,
        "busname": "0000:6d:00.0",
        "dev": "509:0",
        "device_sn": "WBYB0236FH505KREO",
        "device_uuid": "A76AAD68-6855-40B1-9E86-D080852D1C84",
        "fw_version": "1.6.0, c1bebfd",
        "version": "1.9.2, 3def9c2",
        "soc_uid": "A76AAD68-852D1C84",
        "ne_clk_freq_info": (
            "ne tensor (MHz): 2000\nne memory (MHz): 1000\nne operation (MHz): 1000\ndram (MT/s): 4266"
        ),
        "performance_mode": "4 (FULL 1)",
        "performance_level": "",
        "device_led": "",
        "ne_clock": "",
        "ne_dtm_policy": "",
        "uevent": "MAJOR=509\nMINOR=0\nDEVNAME=npu1_mgmt",
    }
    assert tree["sys/class/npu_mgmt/npu1_mgmt"] == Link("../../devices/virtual/npu_mgmt/npu1_mgmt")


def test_what_may_be_written_says_so_by_its_mode() -> None:
    """performance_mode is read and written; four files are only written; all others are only read."""
    tree = render(_state("cards: [{family: warboy}]"))
    management = "sys/devices/virtual/npu_mgmt/npu0_mgmt/"
    modes = {p.removeprefix(management): n.mode for p, n in tree.items() if isinstance(n, Text) and management in p}
    assert {name: mode for name, mode in modes.items() if mode != 0o444} == {
        "performance_mode": 0o644,
        "uevent": 0o644,
        "performance_level": 0o200,
        "device_led": 0o200,
        "ne_clock": 0o200,
        "ne_dtm_policy": 0o200,
    }


def test_a_warboy_has_the_documented_device_files() -> None:
    """BARs are seen in sysfs only."""
    tree = render(_state("cards: [{family: warboy, index: 3}]"))
    suffixes = ["", "_mgmt", "ch0", "ch1", "ch2", "ch3", "pe0", "pe0-1", "pe1"]
    assert sorted(path for path, node in tree.items() if isinstance(node, Device)) == [f"dev/npu3{s}" for s in suffixes]
    bars = {f"sys/class/npu_mgmt/npu3_bar{bar}" for bar in (0, 2, 4)}
    assert bars < set(tree)


def test_a_renegade_shows_the_documented_management_files() -> None:
    """Names, texts and forms of `/sys/class/rngd_mgmt/rngd!npu1mgmt`; the second card's minors begin at 20."""
    tree = render(_state(f"cards: [{{family: renegade, index: 1, {IDENTITY}}}]"))
    assert _texts(tree, "sys/devices/virtual/rngd_mgmt/rngd!npu1mgmt") == {
        "platform_type": "FuriosaAI",
        "device_type": "RNGD",
        "busname": "0000:6d:00.0",
        "dev": "236:20",
        "device_sn": "WBYB0236FH505KREO",
        "device_uuid": "A76AAD68-6855-40B1-9E86-D080852D1C84",
        "fw_version": "2026.2.0, 1f0a5c3",
        "version": "2026.2.0, 7b1d2e9",
        "heartbeat": "0",
        "atr_error": ATR_ERROR,
        "device_state": "0",
        "board_revision": "BD_REV_A0",
        "soc_id": "A76AAD68-852D1C84",
        "cur_pe_ids": "0,1,2,3,4,5,6,7,0-1,2-3,4-5,6-7,0-3,4-7",
        "npu_clocks": "\n".join(["1000000000"] * 8),
        "pe_occupancy": "\n".join("0" * 8),
        "npu_governor": "performance",
        "throttle_reason": "0x1",
        "uevent": "MAJOR=236\nMINOR=20\nDEVNAME=rngd/npu1mgmt",
    }
    assert tree["sys/class/rngd_mgmt/rngd!npu1mgmt"] == Link("../../devices/virtual/rngd_mgmt/rngd!npu1mgmt")


def test_a_renegade_has_the_documented_device_files() -> None:
    """All in a folder of their own."""
    tree = render(_state("cards: [{family: renegade}]"))
    suffixes = ["mgmt", "bar0", "bar2", "bar4", "dmar", "p2pmem"]
    suffixes += [f"pe{pe}" for pe in range(8)] + ["pe0-1", "pe2-3", "pe4-5", "pe6-7", "pe0-3", "pe4-7"]
    suffixes += [f"ch{n}{end}" for n in range(8) for end in ("", "r")]
    devices = {path for path, node in tree.items() if isinstance(node, Device)}
    assert devices == {f"dev/rngd/npu0{suffix}" for suffix in suffixes}


def test_no_two_device_files_share_a_number() -> None:
    """All cards that there can be, of both families."""
    tree = render(_state("cards:\n" + "- family: warboy\n" * 256 + "- family: renegade\n" * 256))
    numbers = [node for node in tree.values() if isinstance(node, Device)]
    assert len(set(numbers)) == len(numbers) == 256 * (9 + 36)


def test_majors_keep_away_from_the_drivers_of_the_machine() -> None:
    """Opening a simulated device must never reach real hardware."""
    taken = parse_taken_majors("Character devices:\n  1 mem\n236 rngd\n510 npu0\n\nBlock devices:\n509 x\n")
    assert taken == {1, 236, 510}
    chosen = choose_majors(taken)
    warboy, renegade = chosen["warboy"], chosen["renegade"]
    assert (warboy[0], len(warboy), renegade) == (509, 16, (235, 234))
    assert not {*warboy, *renegade} & taken
    assert choose_majors({234, 235, 236})["renegade"] == (494, 493)


def test_the_pci_device_shows_the_documented_files() -> None:
    """Vendor, class, NUMA node, link and sensors; the driver link is there while the driver is."""
    state = _state("cards: [{family: renegade, pci_bdf: '0000:01:00.0', temperature_celsius: 71.5, power_watts: 1.37}]")
    tree = render(state)
    folder = "sys/devices/pci0000:00/0000:00:00.1/0000:01:00.0"
    assert _texts(tree, folder) | {"local_cpus": "", "local_cpulist": "", "uevent": ""} == {
        "vendor": "0x1ed2",
        "device": "0x0001",
        "class": "0x120000",
        "revision": "0x00",
        "subsystem_vendor": "0x1ed2",
        "subsystem_device": "0x0001",
        "numa_node": "0",
        "current_link_width": "16",
        "max_link_width": "16",
        "current_link_speed": "32.0 GT/s PCIe",
        "max_link_speed": "32.0 GT/s PCIe",
        "local_cpus": "",
        "local_cpulist": "",
        "uevent": "",
    }
    sensors = _texts(tree, f"{folder}/hwmon/hwmon0")
    labels = {name.removesuffix("_label"): text for name, text in sensors.items() if name.endswith("_label")}
    assert labels == {"power1": "RMS_TOTAL", "temp1": "PEAK", "temp10": "AMBIENT"} | {
        f"temp{pe + 2}": f"NPU_PE{pe}" for pe in range(8)
    }
    assert (sensors["temp1_input"], sensors["power1_average"]) == ("71500", "1370000")
    assert tree["sys/bus/pci/devices/0000:01:00.0"] == Link("../../../devices/pci0000:00/0000:00:00.1/0000:01:00.0")
    assert f"{folder}/driver" in tree
    undriven = render(changes.unload_driver(state))
    assert set(undriven) == {
        *(path for path in tree if path.rpartition("/")[0] == folder and not path.endswith("/driver")),
        *("dev", "sys/class", "sys/bus/pci/devices", "sys/bus/pci/devices/0000:01:00.0"),
    }


def test_counters_of_unused_pes_are_closed_and_those_in_use_move() -> None:
    """perf_regs: cycles in two halves of 32 bits, task and tensor counters wrapped at 32 bits."""
    state = changes.advance(changes.occupy(_state("cards: [{family: warboy}]"), "npu0", ["1"]), 3)
    tree = render(state)
    folder = "sys/devices/virtual/npu_mgmt/npu0pe"
    files = [tree[f"{folder}{pes}/perf_regs"] for pes in ("0", "1", "0-1")]
    assert [file.mode for file in files if isinstance(file, Text)] == [0o000, 0o444, 0o000]
    lines = _texts(tree, f"{folder}1")["perf_regs"].splitlines()
    values = {key: int(value, 16) for key, value in (line.split(": ") for line in lines)}
    assert values["CycleCountHigh"] << 32 | values["CycleCount"] == 6_000_000_000
    assert values["TaskExecutionTime"] == 4_800_000_000 % 2**32
    assert values["TensorExecutionTime"] == 3_600_000_000 % 2**32


def test_occupied_pes_of_a_renegade_say_so() -> None:
    """One line a PE, whatever file holds it; the card is no longer throttled for being idle."""
    state = changes.advance(changes.occupy(_state("cards: [{family: renegade}]"), "npu0", ["0-1", "6"]), 1)
    tree = render(state)
    management = _texts(tree, "sys/devices/virtual/rngd_mgmt/rngd!npu0mgmt")
    assert management["pe_occupancy"] == "1\n1\n0\n0\n0\n0\n1\n0"
    assert management["throttle_reason"] == "0x0"
    assert _texts(tree, "sys/devices/virtual/rngd_mgmt/rngd!npu0pe1") | {"uevent": ""} == {
        "dev": "236:2",
        "uevent": "",
        "metrics": "CycleCount: 0x77359400\nTaskCycleCount: 0x5f5e1000",
        "alloc_status": "dram_capacity: 0x17c000000\ndram_usage: 0x40000000\nshared_capacity: 0x0\nshared_usage: 0x0",
    }


def test_a_card_that_is_not_alive_says_so_in_its_familys_words() -> None:
    """Warboy: alive 0. Renegade of this driver generation: device_state other than 0."""
    state = _state("cards: [{family: warboy}, {family: renegade}]")
    state = changes.fail(changes.fail(state, "0000:01:00.0"), "0000:02:00.0")
    tree = render(state)
    assert _texts(tree, "sys/devices/virtual/npu_mgmt/npu0_mgmt")["alive"] == "0"
    assert _texts(tree, "sys/devices/virtual/rngd_mgmt/rngd!npu0mgmt")["device_state"] == "1"


def test_links_lead_from_folder_to_folder() -> None:
    """Relative, as sysfs makes them, so that the tree can be moved and mounted anywhere."""
    assert link_between("sys/class/a/x", "sys/devices/b/x") == Link("../../devices/b/x")
    assert link_between("sys/x", "sys/y") == Link("y")
