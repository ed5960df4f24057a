"""furiosactl's words, tables and documents."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu import __version__
from furiosa_npu.furiosactl.__main__ import _main, run
from furiosa_npu.furiosactl.command_line import UsageError, parse
from furiosa_npu.furiosactl.documents import info_document, list_document, to_json, to_yaml
from furiosa_npu.furiosactl.selection import select, shown
from furiosa_npu.furiosactl.status import card_status, file_status
from furiosa_npu.furiosactl.tables import info_table, list_table
from furiosa_npu.hardware.controls import ControlError
from furiosa_npu.hardware.reading import Problem, Reading, Roots, Sensor
from furiosa_npu.simulator.__main__ import main as simulator
from tests.unit.readings import perf_regs, renegade, warboy

DOCUMENTED_HELP = """\
furiosactl controls the FURIOSA NPU.

Find more information at: https://furiosa.ai/

Basic Commands:
  version    Print the furiosactl version information
  list       Display NPU device list
  info       Show information one or many NPU(s)
  config     Get/Set configuration for NPU environment

Usage:
  furiosactl COMMAND
"""
DOCUMENTED_INFO = """\
+------+------------------+-------+---------+--------------+---------+
| NPU  | Name             | Temp. | Power   | PCI-BDF      | PCI-DEV |
+------+------------------+-------+---------+--------------+---------+
| npu0 | FuriosaAI Warboy |  34°C | 12.92 W | 0000:01:00.0 | 510:0   |
+------+------------------+-------+---------+--------------+---------+
"""
DOCUMENTED_LIST = """\
+------+-----------+-----------+--------+
| NPU  | DEVNAME   | Type      | Status |
+------+-----------+-----------+--------+
| npu0 | npu0      | All PE(s) | Ready  |
|      | npu0pe0   | Single PE | Ready  |
|      | npu0pe1   | Single PE | Ready  |
|      | npu0pe0-1 | PE Fusion | Ready  |
+------+-----------+-----------+--------+
"""
KEYS = [
    *["name", "family", "hwtype", "uuid", "serial", "pci_bdf", "pci_dev", "temperature_celsius", "power_watts"],
    *["firmware_version", "driver_version", "numa_node", "status", "reason", "device_files"],
]
CARD = warboy(0)._replace(
    pci_dev="510:0",
    sensors=(
        Sensor("temp", 1, "AMBIENT", 21_000, None),
        Sensor("temp", 2, "PEAK", 34_125, None),
        Sensor("power", 1, "1", 12_920_001, None),
    ),
)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_is_the_documents_byte_for_byte(arguments: list[str]) -> None:
    """Without arguments and with --help."""
    assert run(arguments, {}) == DOCUMENTED_HELP


def test_version_says_name_and_version() -> None:
    """As a command and as an option."""
    assert {run(["version"], {}), run(["--version"], {})} == {f"furiosactl {__version__}\n"}


def test_tables_look_like_the_documents() -> None:
    """Alignment, rules, rounding."""
    assert info_table([CARD]) == DOCUMENTED_INFO
    assert list_table([CARD]) == DOCUMENTED_LIST


def test_absent_facts_are_a_dash_and_zero_is_a_measurement() -> None:
    """An unread temperature is not 0°C."""
    cold = CARD._replace(sensors=(Sensor("temp", 1, "1", 0, None),), pci_dev=None)
    assert info_table([cold]).splitlines()[3] == "| npu0 | FuriosaAI Warboy |   0°C | -     | 0000:01:00.0 | -       |"


def test_a_rule_stands_after_each_npu() -> None:
    """Two cards, three rules."""
    lines = info_table([warboy(0), warboy(1)]).splitlines()
    assert [line[0] for line in lines] == ["+", "|", "+", "|", "+", "|", "+"]


def test_status_is_judged_from_one_reading() -> None:
    """Ready, in use, failed; the reason in words."""
    problem = Problem("/sys/x", "'2'", "0 or 1")
    busy = renegade()._replace(pe_occupancy=(False, True) + (False,) * 6)
    assert [card_status(card) for card in (CARD, CARD._replace(alive=False), busy)] == [
        ("Ready", None),
        ("Failed", "not alive: the driver says that the card does not run"),
        ("In use", "PE 1 in use"),
    ]
    assert card_status(CARD._replace(problems=(problem,))) == ("Failed", "/sys/x: found '2', expected 0 or 1")
    assert card_status(perf_regs(CARD, 7)).status == "In use"
    assert [file_status(busy, file) for file in busy.compute_files if file.last_pe == 1] == ["In use", "In use"]
    assert [file_status(busy, file) for file in busy.compute_files if file.last_pe == 2] == ["Ready"]


def test_a_card_with_an_error_is_a_row_like_the_others() -> None:
    """One bad card hides nobody."""
    bad = warboy(1)._replace(alive=None, problems=(Problem("p", "f", "e"),))
    assert [card["status"] for card in info_document([CARD, bad])] == ["Ready", "Failed"]


def test_documents_have_the_named_keys_and_unrounded_numbers() -> None:
    """JSON and YAML say the same."""
    for document in (info_document([CARD]), list_document([CARD])):
        assert list(document[0]) == KEYS
        assert (document[0]["temperature_celsius"], document[0]["power_watts"]) == (34.125, 12.920001)
        assert json.loads(to_json(document)) == yaml.safe_load(to_yaml(document)) == document
    files = list_document([CARD])[0]["device_files"]
    assert isinstance(files, list)
    assert files[0] == {"devname": "npu0", "type": "All PE(s)", "status": "Ready"}


PRINTABLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(uuid=st.none() | PRINTABLE, serial=PRINTABLE, node=st.none() | st.integers(0, 9))
def test_yaml_reads_back_as_what_was_meant(uuid: str | None, serial: str, node: int | None) -> None:
    """Whatever a text holds: `no`, `1e3`, `- x`, quotes, other scripts."""
    card = CARD._replace(uuid=uuid, serial=serial, numa_node=node)
    document = info_document([card])
    assert yaml.safe_load(to_yaml(document)) == json.loads(to_json(document)) == document


def test_no_cards_are_an_empty_list() -> None:
    """Of the same type as a full one."""
    assert (yaml.safe_load(to_yaml([])), json.loads(to_json([]))) == ([], [])


def test_only_cards_with_device_files_are_shown_by_number() -> None:
    """In a pod sysfs shows the whole host's."""
    hidden = warboy(1)._replace(device_files=())
    assert shown([warboy(10), hidden, warboy(2), renegade(2)]) == (warboy(2), renegade(2), warboy(10))


@pytest.mark.parametrize("name", ["npu0", "warboy-0", "0000:01:00.0"])
def test_a_card_is_named_by_name_uuid_or_address(name: str) -> None:
    """A UUID in any case."""
    cards = [warboy(0), warboy(1)]
    assert select(cards, [name]) == (warboy(0),)


@pytest.mark.parametrize(
    ("cards", "name", "message"),
    [
        ([warboy(0)], "npu7", "no NPU npu7 here, expected one of: npu0 (WARBOY-0)"),
        (
            [warboy(0), renegade(0)],
            "npu0",
            "npu0 names 2 NPUs, expected a UUID or PCI address: WARBOY-0 (warboy), RENEGADE-0 (renegade)",
        ),
    ],
)
def test_a_name_that_means_none_or_two_is_refused(cards: list[Reading], name: str, message: str) -> None:
    """With what there is, or the UUIDs."""
    with pytest.raises(UsageError) as raised:
        select(cards, [name])
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "arguments",
    [
        ["--devfs-root", "/a", "info", "--sysfs-root=/b"],
        ["info", "--devfs-root=/a", "--sysfs-root", "/b"],
    ],
)
def test_options_stand_before_or_after_the_command(arguments: list[str]) -> None:
    """They win over the environment."""
    assert parse(arguments, {"FURIOSA_DEVFS_ROOT": "/x", "FURIOSA_SYSFS_ROOT": "/y"}).roots == Roots("/a", "/b")


def test_the_environment_names_roots_and_the_host_is_the_default() -> None:
    """As the agents' do."""
    assert parse(["info"], {"FURIOSA_SYSFS_ROOT": "/y"}).roots == Roots("/dev", "/y")


@pytest.mark.parametrize(
    "arguments",
    [
        *[["frob"], ["--frob"], ["info", "-x"], ["info", "--format", "xml"], ["info", "--format"], ["config"]],
        *[["config", "set", "npu0"], ["config", "get", "npu0", "a", "b"], ["info", "\udcff"]],
    ],
)
def test_wrong_use_is_exit_code_2(arguments: Sequence[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Said on standard error, nothing on standard output."""
    assert _main([*arguments, f"--devfs-root={tmp_path}", f"--sysfs-root={tmp_path}"], {}) == 2
    out, error = capfd.readouterr()
    assert (out, error.startswith("furiosactl: ")) == ("", True)


def test_config_gets_and_sets_what_the_driver_lets_one_set(tmp_path: Path) -> None:
    """Write-only keys are said to be so; a wrong value never reaches the driver."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("cards: [{family: warboy}, {family: renegade, index: 1}]\n")
    assert simulator(["create", "--plain-files", str(tmp_path), str(scenario)]) == 0
    roots = [f"--devfs-root={tmp_path}/dev", f"--sysfs-root={tmp_path}/sys"]
    assert run(["config", "get", *roots], {}) == (
        "npu0 performance_mode: 4 (FULL 1)\n"
        "npu0 performance_level: (write only)\n"
        "npu0 device_led: (write only)\n"
        "npu0 ne_clock: (write only)\n"
        "npu0 ne_dtm_policy: (write only)\n"
        "npu1 npu_governor: performance\n"
    )
    assert run(["config", "set", "npu0", "performance_mode", "half", *roots], {}) == "npu0 performance_mode: 1\n"
    assert run(["config", "get", "npu0", "performance_mode", *roots], {}) == "npu0 performance_mode: 1\n"
    with pytest.raises(UsageError, match=r"npu_governor: found fast, expected performance or powersave"):
        run(["config", "set", "npu1", "npu_governor", "fast", *roots], {})
    (tmp_path / "sys/class/rngd_mgmt/rngd!npu1mgmt/npu_governor").unlink()
    with pytest.raises(ControlError, match="No such file"):
        run(["config", "set", "npu1", "npu_governor", "powersave", *roots], {})
    assert run(["config", "get", "npu1", *roots], {}) == "npu1 npu_governor: (this driver has none)\n"
