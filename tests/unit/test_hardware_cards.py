"""Whole trees: what is read of them, and that no card hides another."""

import errno
import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furiosa_npu.hardware.bus_pci import read_root
from furiosa_npu.hardware.cards import read_card, read_cards
from furiosa_npu.hardware.controls import CONTROLS, ControlError, control_path, get_control, set_control
from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.hotplug import DeviceWatch
from furiosa_npu.hardware.occupancy import pes_in_use
from furiosa_npu.hardware.presence import Presence, look, primary_family
from furiosa_npu.hardware.reading import Problem, Reading, Roots
from furiosa_npu.linux.inotify import Inotify
from furiosa_npu.simulator.__main__ import main as simulator

SCENARIO = """\
cards:
  - {family: warboy, index: 0, uuid: A76AAD68-6855-40B1-9E86-D080852D1C84, serial: WBYB0236FH505KREO,
     pci_bdf: "0000:6d:00.0", numa_node: 1, temperature_celsius: 34.125, power_watts: 12.92}
  - {family: warboy, index: 10, pci_bdf: "0000:6e:00.0", platform_type: VITIS}
  - {family: renegade, index: 0, pci_bdf: "0000:87:00.0", temperature_celsius: 35.5}
"""


def make_tree(folder: Path) -> Roots:
    """The scenario's tree with plain files for devices."""
    (folder / "scenario.yaml").write_text(SCENARIO)
    arguments = ["create", "--plain-files", str(folder), str(folder / "scenario.yaml")]
    assert simulator(arguments) == 0
    return Roots(str(folder / "dev"), str(folder / "sys"))


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """The scenario's tree."""
    return make_tree(tmp_path)


def _management(roots: Roots, card: str) -> Path:
    return Path(roots.sysfs, "class", "npu_mgmt", f"{card}_mgmt")


def test_a_warboy_is_read_with_every_documented_fact(roots: Roots) -> None:
    """Identity, state, sensors and NUMA, unrounded."""
    card = read_cards(roots)[0]
    assert (card.family, card.name, card.uuid, card.serial) == (
        "warboy",
        "npu0",
        "A76AAD68-6855-40B1-9E86-D080852D1C84",
        "WBYB0236FH505KREO",
    )
    assert (card.pci_bdf, card.numa_node, card.temperature_celsius, card.power_watts) == (
        "0000:6d:00.0",
        1,
        34.125,
        12.92,
    )
    assert (card.firmware_version, card.driver_version, card.soc_revision) == (
        "1.6.0, c1bebfd",
        "1.9.2, 3def9c2",
        "B0",
    )
    assert (card.alive, card.hwtype, card.performance_mode, card.problems) == (True, None, 4, ())
    assert dict(card.clocks)["ne tensor (MHz)"] == 2000
    assert [file.name for file in card.compute_files] == ["npu0", "npu0pe0", "npu0pe1", "npu0pe0-1"]
    assert all(file.device_number is None for file in card.device_files)


def test_cards_come_by_family_and_number(roots: Roots) -> None:
    """Warboys before Renegades; npu10 is not npu1."""
    cards = read_cards(roots)
    assert [(card.family, card.name, card.hwtype) for card in cards] == [
        ("warboy", "npu0", None),
        ("warboy", "npu10", "u250"),
        ("renegade", "npu0", None),
    ]
    assert read_card(roots, "renegade", 0) == cards[2]


def test_a_renegade_is_read_with_what_newer_drivers_show(roots: Roots) -> None:
    """Occupancy, governor, throttling, sensors of each PE."""
    card = read_cards(roots)[2]
    assert (card.alive, card.pe_occupancy, card.governor, card.throttle_reasons) == (
        True,
        (False,) * 8,
        "performance",
        1,
    )
    assert [sensor.label for sensor in card.sensors if sensor.kind == "temp"] == [
        "PEAK",
        *(f"NPU_PE{pe}" for pe in range(8)),
        "AMBIENT",
    ]
    assert card.problems == ()


@pytest.mark.parametrize("name", ["dev", "device_sn", "device_uuid", "fw_version"])
def test_an_empty_identity_file_is_absent_and_no_error(roots: Roots, name: str) -> None:
    """Early cards have none."""
    (_management(roots, "npu0") / name).write_text("\n")
    fact = {"dev": "pci_dev", "device_sn": "serial", "device_uuid": "uuid", "fw_version": "firmware_version"}[name]
    card = read_cards(roots)[0]
    assert (getattr(card, fact), card.problems) == (None, ())


@pytest.mark.parametrize(
    ("name", "content", "found", "expected"),
    [
        ("alive", b"2\n", "'2'", "0 or 1"),
        ("alive", b"", "''", "0 or 1"),
        (
            "heartbeat",
            b"\xff\xfe\x00",
            "bytes that are no UTF-8: b'\\xff\\xfe\\x00'",
            "the file that the driver documents",
        ),
        ("atr_error", b"x" * 100_000, "more than 4096 bytes", "the file that the driver documents"),
        ("device_type", b"Gameboy\n", "'Gameboy'", "Warboy, the family of this folder"),
        ("platform_type", b"AMIGA\n", "'AMIGA'", "FuriosaAI, VITIS or HAPS"),
        ("busname", b"over there\n", "'over there'", "a PCI address such as 0000:6d:00.0"),
    ],
)
def test_a_broken_file_is_one_problem_that_names_path_found_and_expected(
    roots: Roots, name: str, content: bytes, found: str, expected: str
) -> None:
    """The other facts of the card and the other cards stand."""
    path = _management(roots, "npu0") / name
    path.write_bytes(content)
    cards = read_cards(roots)
    broken = next(card for card in cards if card.uuid == "A76AAD68-6855-40B1-9E86-D080852D1C84")
    assert broken.problems == (Problem(str(path), found, expected),)
    assert [card.problems for card in cards if card.management and card is not broken] == [(), ()]


def test_a_missing_required_file_is_a_problem(roots: Roots) -> None:
    """Not an invented value."""
    path = _management(roots, "npu0") / "heartbeat"
    path.unlink()
    card = read_cards(roots)[0]
    assert (card.heartbeat_seconds, card.problems) == (
        None,
        (Problem(str(path), "no such file", "a file that every driver has"),),
    )


def test_a_fifo_in_a_files_place_does_not_hang(roots: Roots) -> None:
    """Opened without waiting, then refused."""
    path = _management(roots, "npu0") / "alive"
    path.unlink()
    os.mkfifo(path)
    assert read_cards(roots)[0].problems[0].found == "something other than a regular file"


def test_device_files_without_a_management_folder_are_a_card_with_a_problem(roots: Roots) -> None:
    """A driver that has not finished, or a card that left the bus; on the bus it is none more."""
    shutil.rmtree(Path(roots.sysfs, "class", "npu_mgmt"))
    cards = read_cards(roots)
    assert [(card.family, card.name, card.management) for card in cards] == [
        ("warboy", "npu0", False),
        ("warboy", "npu10", False),
        ("renegade", "npu0", True),
    ]
    assert cards[0].problems[0] == Problem(
        f"{roots.sysfs}/class/npu_mgmt/npu0_mgmt",
        "no such folder",
        "the management folder of npu0: the driver has not finished, or the card left the bus",
    )


def test_a_management_folder_without_device_files_is_a_card_with_a_problem(roots: Roots) -> None:
    """Every other fact is there."""
    for file in Path(roots.devfs).glob("npu0*"):
        file.unlink()
    card = read_cards(roots)[0]
    assert (card.uuid, card.device_files, len(card.problems)) == ("A76AAD68-6855-40B1-9E86-D080852D1C84", (), 1)


def test_two_cards_of_one_uuid_both_say_so(roots: Roots) -> None:
    """Neither can be vouched for."""
    (_management(roots, "npu10") / "device_uuid").write_text("A76AAD68-6855-40B1-9E86-D080852D1C84\n")
    first, second, other = read_cards(roots)
    assert first.problems == second.problems
    assert first.problems[0].found == "on warboy npu0, warboy npu10"
    assert other.problems == ()


def test_a_card_that_is_gone_says_so(roots: Roots) -> None:
    """`read_card` of a number that nothing has."""
    card = read_card(roots, "warboy", 7)
    assert (card.management, card.device_files, len(card.problems)) == (False, (), 2)


@pytest.mark.parametrize(("node", "expected"), [("-1", None), ("0", 0), ("3", 3)])
def test_a_numa_node_is_a_number_or_none(roots: Roots, node: str, expected: int | None) -> None:
    """-1 is the kernel's word for none."""
    Path(roots.sysfs, "bus/pci/devices/0000:6d:00.0/numa_node").write_text(f"{node}\n")
    assert read_cards(roots)[0].numa_node == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("../../../devices/pci0000:60/0000:60:01.0/0000:6d:00.0", "pci0000:60"),
        ("/sys/devices/pci0001:00/0000:6d:00.0", "pci0001:00"),
        ("../../../devices/pci0000:60/0000:6e:00.0", None),
        ("../../../devices/platform/0000:6d:00.0", None),
        ("../../../devices/pcie/0000:6d:00.0", None),
    ],
)
def test_the_root_complex_is_where_the_cards_entry_on_the_bus_leads_to(
    tmp_path: Path, target: str, expected: str | None
) -> None:
    """The first folder of the host's devices; what leads elsewhere, or is no link, says nothing of it."""
    folder = tmp_path / "bus/pci/devices"
    folder.mkdir(parents=True)
    (folder / "0000:6d:00.0").symlink_to(target)
    (folder / "0000:6f:00.0").mkdir()
    told = [read_root(Files(), str(tmp_path), bdf) for bdf in ("0000:6d:00.0", "0000:6f:00.0", "0000:70:00.0")]
    assert told == [expected, None, None]


def test_a_simulated_card_is_behind_the_root_of_its_domain(roots: Roots) -> None:
    """Through the port that it is plugged into."""
    assert read_cards(roots)[0].pci_root == "pci0000:00"


def test_sensors_without_a_label_go_by_their_number_and_absent_is_not_zero(roots: Roots) -> None:
    """Temperature falls back to temp1; a card without sensors has none."""
    device = Path(roots.sysfs, "bus/pci/devices/0000:6d:00.0")
    hwmon = next((device / "hwmon").iterdir())
    for label in hwmon.glob("*_label"):
        label.unlink()
    card = read_cards(roots)[0]
    assert {sensor.label for sensor in card.sensors} >= {"1"}
    assert card.temperature_celsius is not None
    shutil.rmtree(device / "hwmon")
    card = read_cards(roots)[0]
    assert (card.sensors, card.temperature_celsius, card.power_watts, card.problems) == ((), None, None, ())


def test_use_is_seen_on_both_families(roots: Roots, tmp_path: Path) -> None:
    """Open perf_regs, pe_occupancy."""
    idle = [pes_in_use(card) for card in read_cards(roots)]
    assert simulator(["occupy", str(tmp_path), "0000:6d:00.0"]) == 0
    assert simulator(["occupy", str(tmp_path), "0000:87:00.0", "3"]) == 0
    used = [pes_in_use(card) for card in read_cards(roots)]
    assert idle == [(False, False), (False, False), (False,) * 8]
    assert used == [(True, True), (False, False), (False,) * 3 + (True,) + (False,) * 4]


def test_presence_sees_any_sign_of_an_npu(roots: Roots) -> None:
    """Device file, management folder, PCI device: each alone is enough."""
    on_the_bus = ("0000:6d:00.0", "0000:6e:00.0", "0000:87:00.0")
    both = Presence(("warboy", "renegade"), on_the_bus, (), ())
    assert look(roots) == both
    shutil.rmtree(Path(roots.sysfs, "class"))
    assert look(roots) == both
    shutil.rmtree(roots.devfs)
    assert look(roots) == both
    shutil.rmtree(Path(roots.sysfs, "bus"))
    assert look(roots) == Presence((), (), (), ())


def test_a_device_id_of_no_known_family_is_said_and_is_something(roots: Roots) -> None:
    """It hides nobody, and the label stays."""
    Path(roots.sysfs, "bus/pci/devices/0000:6d:00.0/device").write_text("0x0099\n")
    shutil.rmtree(Path(roots.sysfs, "class", "npu_mgmt"))
    assert look(roots).unknown_devices == ("0000:6d:00.0",)
    problem = next(card for card in read_cards(roots) if card.pci_bdf == "0000:6d:00.0").problems[-1]
    assert (problem.found, problem.expected) == ("device id 0x0099", "0x0000 (Warboy) or 0x0001 (Renegade)")


def test_a_pci_device_that_cannot_be_read_is_a_doubt_and_no_absence(roots: Roots) -> None:
    """With it, "nothing found" is not "nothing there"."""
    vendor = Path(roots.sysfs, "bus/pci/devices/0000:6d:00.0/vendor")
    vendor.write_bytes(b"\xff")
    problem = Problem(str(vendor), "bytes that are no UTF-8: b'\\xff'", "an id in hexadecimal")
    assert look(roots).problems == (problem,)


def test_the_nodes_family_is_warboy_where_there_is_one() -> None:
    """The labeller's rule."""
    assert [primary_family(families) for families in ((), ("renegade",), ("renegade", "warboy"))] == [
        None,
        "renegade",
        "warboy",
    ]


def test_device_files_that_come_and_go_are_seen_as_events(tmp_path: Path) -> None:
    """Also in `rngd/`, which comes after the watch; other files are nobody's business."""
    watch = DeviceWatch(Roots(str(tmp_path), "/nowhere"))
    seen = [watch.drain()]
    (tmp_path / "tty0").touch()
    seen.append(watch.drain())
    (tmp_path / "npu0").touch()
    seen.append(watch.drain())
    (tmp_path / "rngd").mkdir()
    seen.append(watch.drain())
    (tmp_path / "rngd" / "npu0pe0").touch()
    seen.append(watch.drain())
    shutil.rmtree(tmp_path / "rngd")
    seen.append(watch.drain())
    (tmp_path / "rngd").mkdir()
    seen.append(watch.drain())
    (tmp_path / "rngd" / "npu0pe0").touch()
    seen.append(watch.drain())
    watch.close()
    assert seen == [False, False, True, True, True, True, True, True]


def test_a_device_file_that_comes_is_seen_though_no_watch_is_left_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rngd/` is looked for at each event and not in peace; that the kernel refuses to watch it takes no event away."""
    watch = DeviceWatch(Roots(str(tmp_path), "/nowhere"))

    def used_up(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Inotify, "add_watch", used_up)
    watch.renew()
    (tmp_path / "npu0").touch()
    assert (watch.drain(), watch.drain()) == (True, False)
    with pytest.raises(OSError, match="No space left"):
        watch.renew()
    watch.close()


def test_a_control_is_read_and_written(roots: Roots) -> None:
    """performance_mode by number and by name; what is none of the values is refused before it is written."""
    control = CONTROLS["warboy"][0]
    path = control_path(roots.sysfs, "warboy", 0, control)
    assert get_control(path) == "4 (FULL 1)"
    assert [control.driver_value(text) for text in ("2", "Half", "6", "")] == ["2", "1", None, None]
    set_control(path, "2")
    assert get_control(path) == "2"
    with pytest.raises(ControlError, match="No such file"):
        set_control(path + "x", "2")


HOSTILE = st.binary(max_size=64) | st.sampled_from([b"", b"\n", b"0", b"-1", b"9" * 30, b"\x00" * 9, b"x" * 9000])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_files_hold_nothing_raises_and_no_card_is_lost(data: st.DataObject) -> None:
    """Files of npu0 are overwritten, removed, or made folders at random; the other cards read as before."""
    folder = Path(mkdtemp())
    try:
        roots = make_tree(folder)
        before = read_cards(roots)
        files = sorted(Path(roots.sysfs, "devices/virtual/npu_mgmt").glob("npu0*/*"))
        for path in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=6, unique=True)):
            damage = data.draw(HOSTILE | st.sampled_from(["remove", "folder", "loop"]))
            path.unlink()
            if damage == "folder":
                path.mkdir()
            elif damage == "loop":
                path.symlink_to(path)
            elif isinstance(damage, bytes):
                path.write_bytes(damage)
        after = read_cards(roots)
    finally:
        shutil.rmtree(folder)
    assert [card.name for card in after if card.management] == [card.name for card in before]
    assert [_without_shared_doubts(card) for card in after[1:3]] == list(before[1:3])


def _without_shared_doubts(card: Reading) -> Reading:
    """npu0 may by chance claim another's address: then both say so, which is right."""
    return card._replace(problems=tuple(problem for problem in card.problems if " on " not in f" {problem.found}"))


def test_a_card_whose_pci_address_cannot_be_read_is_not_counted_twice(roots: Roots) -> None:
    """The device on the bus that is left over is that card, until there are more of them than such cards."""
    busname = _management(roots, "npu0") / "busname"
    busname.chmod(0o644)
    busname.write_text("?")
    assert [card.pci_bdf for card in read_cards(roots)] == [None, "0000:6e:00.0", "0000:87:00.0"]
    shutil.copytree(
        Path(roots.sysfs, "bus/pci/devices/0000:6d:00.0"),
        Path(roots.sysfs, "bus/pci/devices/0000:6f:00.0"),
        symlinks=True,  # they lead round in a circle
    )
    assert [card.pci_bdf for card in read_cards(roots)][3:] == ["0000:6d:00.0", "0000:6f:00.0"]
