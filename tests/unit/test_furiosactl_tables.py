"""What furiosactl shows: tables as documented, documents with the named keys, the status of one reading."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.furiosactl.documents import info_document, list_document, to_json, to_yaml
from furiosa_npu.furiosactl.status import card_status, failures, file_status
from furiosa_npu.furiosactl.tables import info_table, list_table
from furiosa_npu.hardware.reading import Problem, Reading, Sensor
from tests.unit.readings import perf_regs, renegade, warboy

HELD = "| npu0 | FuriosaAI Warboy "


def measured(index: int, millidegrees: int, microwatts: int) -> Reading:
    """A Warboy with other sensors before the two that count."""
    peak, power = Sensor("temp", 2, "PEAK", millidegrees, None), Sensor("power", 2, "RMS_TOTAL", microwatts, None)
    others = (Sensor("temp", 1, "AMBIENT", 21_000, None), Sensor("power", 1, "1", 99_000_000, None))
    return warboy(index)._replace(pci_dev=f"510:{index}", sensors=(*others, peak, power))


CARD = measured(0, 34_125, 12_920_001)
KEYS = [
    *["name", "family", "hwtype", "uuid", "serial", "pci_bdf", "pci_dev", "temperature_celsius", "power_watts"],
    *["firmware_version", "driver_version", "numa_node", "status", "reason", "device_files"],
]


def test_info_of_one_card_is_the_documents_table() -> None:
    """The vendor's transcript, byte for byte."""
    assert info_table([CARD]) == (
        "+------+------------------+-------+---------+--------------+---------+\n"
        "| NPU  | Name             | Temp. | Power   | PCI-BDF      | PCI-DEV |\n"
        "+------+------------------+-------+---------+--------------+---------+\n"
        "| npu0 | FuriosaAI Warboy |  34°C | 12.92 W | 0000:01:00.0 | 510:0   |\n"
        "+------+------------------+-------+---------+--------------+---------+\n"
    )


def test_info_of_the_users_card_is_the_users_table() -> None:
    """The transcript in the user's document: a column is as wide as its widest cell."""
    card = measured(1, 40_000, 1_370_000)._replace(pci_bdf="0000:01:00.0", pci_dev="509:0")
    assert info_table([card]) == (
        "+------+------------------+-------+--------+--------------+---------+\n"
        "| NPU  | Name             | Temp. | Power  | PCI-BDF      | PCI-DEV |\n"
        "+------+------------------+-------+--------+--------------+---------+\n"
        "| npu1 | FuriosaAI Warboy |  40°C | 1.37 W | 0000:01:00.0 | 509:0   |\n"
        "+------+------------------+-------+--------+--------------+---------+\n"
    )


def test_list_of_one_card_is_the_documents_table() -> None:
    """The vendor's transcript, byte for byte: the card's name stands in its first row."""
    assert list_table([CARD]) == (
        "+------+-----------+-----------+--------+\n"
        "| NPU  | DEVNAME   | Type      | Status |\n"
        "+------+-----------+-----------+--------+\n"
        "| npu0 | npu0      | All PE(s) | Ready  |\n"
        "|      | npu0pe0   | Single PE | Ready  |\n"
        "|      | npu0pe1   | Single PE | Ready  |\n"
        "|      | npu0pe0-1 | PE Fusion | Ready  |\n"
        "+------+-----------+-----------+--------+\n"
    )


def test_a_rule_stands_after_each_npu_and_columns_fit_all() -> None:
    """Two families, three figures of watts, a card without sensors."""
    bare = renegade(10)._replace(pci_bdf=None)
    assert info_table([measured(0, 5_000, 123_456_789), bare]) == (
        "+-------+--------------------+-------+----------+--------------+---------+\n"
        "| NPU   | Name               | Temp. | Power    | PCI-BDF      | PCI-DEV |\n"
        "+-------+--------------------+-------+----------+--------------+---------+\n"
        "| npu0  | FuriosaAI Warboy   |   5°C | 123.46 W | 0000:01:00.0 | 510:0   |\n"
        "+-------+--------------------+-------+----------+--------------+---------+\n"
        "| npu10 | FuriosaAI Renegade |     - | -        | -            | -       |\n"
        "+-------+--------------------+-------+----------+--------------+---------+\n"
    )


def test_no_cards_are_a_header_alone() -> None:
    """And an empty list."""
    assert list_table([]) == (
        "+-----+---------+------+--------+\n| NPU | DEVNAME | Type | Status |\n+-----+---------+------+--------+\n"
    )
    assert (to_json([]), to_yaml([])) == ("[]\n", "[]\n")


@pytest.mark.parametrize(
    ("millidegrees", "microwatts", "cells"),
    [
        (0, 0, "|   0°C | 0.00 W |"),
        (-400, -4_000, "|   0°C | 0.00 W |"),
        (-40_600, 4_000, "| -41°C | 0.00 W |"),
        (40_499, 1_374_999, "|  40°C | 1.37 W |"),
        (40_501, 1_375_001, "|  41°C | 1.38 W |"),
    ],
)
def test_figures_are_rounded_and_zero_is_a_measurement(millidegrees: int, microwatts: int, cells: str) -> None:
    """Whole degrees, two decimals, no minus before a nought."""
    row = info_table([measured(0, millidegrees, microwatts)]).splitlines()[3]
    assert row == f"{HELD}{cells} 0000:01:00.0 | 510:0   |"


def test_full_info_has_three_columns_more() -> None:
    """What later toolkits show."""
    card = CARD._replace(uuid="U-1", serial=None, firmware_version="1.6.0, c1bebfd")
    assert info_table([card], full=True).splitlines()[1:4:2] == [
        "| NPU  | Name             | Temp. | Power   | PCI-BDF      | PCI-DEV | UUID | S/N | Firmware       |",
        "| npu0 | FuriosaAI Warboy |  34°C | 12.92 W | 0000:01:00.0 | 510:0   | U-1  | -   | 1.6.0, c1bebfd |",
    ]


PROBLEM = Problem("/sys/x", "'2'", "0 or 1")
BUSY = renegade()._replace(pe_occupancy=(False, True) + (False,) * 6)
OLD = renegade()._replace(pe_occupancy=None)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (CARD, ("Ready", None)),
        (OLD, ("Ready", None)),
        (BUSY, ("In use", "PE 1 in use")),
        (perf_regs(CARD, 7), ("In use", "PE 0 in use")),
        (CARD._replace(alive=False), ("Failed", "not alive: the driver's file alive says that the card does not run")),
        (CARD._replace(problems=(PROBLEM,)), ("Failed", "/sys/x: found '2', expected 0 or 1")),
        (
            CARD._replace(problems=(PROBLEM, Problem("/dev", "none", "some"))),
            ("Failed", "/sys/x: found '2', expected 0 or 1; /dev: found none, expected some"),
        ),
    ],
)
def test_status_is_judged_from_one_reading(card: Reading, expected: tuple[str, str | None]) -> None:
    """Ready, in use, failed; the reason in words, or none."""
    assert card_status(card) == expected


def test_a_device_file_is_in_use_when_one_of_its_pes_is() -> None:
    """The whole card's file too; the others stay ready."""
    used = {file.name for file in BUSY.compute_files if file_status(BUSY, file) == "In use"}
    assert used == {"npu0pe1", "npu0pe0-1", "npu0pe0-3"}
    held = perf_regs(CARD, 7)
    assert [file_status(held, file) for file in held.compute_files] == ["In use", "In use", "Ready", "In use"]


def test_a_card_with_an_error_is_a_row_like_the_others() -> None:
    """One bad card hides nobody; why it failed is said beside the table."""
    bad = warboy(1)._replace(alive=None, problems=(PROBLEM,))
    assert [card["status"] for card in info_document([CARD, bad])] == ["Ready", "Failed"]
    assert list_table([bad]).count("| Failed |") == 4
    assert failures([CARD, bad]) == ("npu1 (warboy) failed: /sys/x: found '2', expected 0 or 1",)


def test_a_card_without_compute_files_is_a_row_too() -> None:
    """A pod may hold the management file alone."""
    card = CARD._replace(device_files=CARD.device_files[-1:])
    assert list_table([card]).splitlines()[3] == "| npu0 | -       | -    | Ready  |"


def test_documents_have_the_named_keys_and_unrounded_numbers() -> None:
    """JSON and YAML say the same; `device_files` are names in info, rows in list."""
    for document in (info_document([CARD]), list_document([CARD])):
        assert list(document[0]) == KEYS
        assert (document[0]["temperature_celsius"], document[0]["power_watts"]) == (34.125, 12.920001)
        assert json.loads(to_json(document)) == yaml.safe_load(to_yaml(document)) == document
    assert info_document([CARD])[0]["device_files"] == [file.name for file in CARD.device_files]
    assert list_document([CARD])[0]["device_files"] == [
        {"devname": "npu0", "type": "All PE(s)", "status": "Ready"},
        {"devname": "npu0pe0", "type": "Single PE", "status": "Ready"},
        {"devname": "npu0pe1", "type": "Single PE", "status": "Ready"},
        {"devname": "npu0pe0-1", "type": "PE Fusion", "status": "Ready"},
    ]


def test_yaml_quotes_as_people_do() -> None:
    """A quote and a backslash by a backslash, other scripts as they are, what nobody can see by its number."""
    assert '  uuid: "a\\"b\\\\c 한글 \\U0000001b"\n' in to_yaml(info_document([CARD._replace(uuid='a"b\\c 한글 \x1b')]))


def test_absent_facts_are_null_in_documents() -> None:
    """Nothing is invented of a card that only has device files."""
    card = Reading("warboy", 3, management=False, device_files=warboy(3).device_files)
    (document,) = yaml.safe_load(to_yaml(list_document([card])))
    assert [key for key in KEYS if document[key] is None] == [*KEYS[2:12], "reason"]


ANY_TEXT = (
    st.none() | st.text(st.characters(), max_size=12) | st.sampled_from(["no", "1e3", "- x", "~", "0x1", "\udcff"])
)
ANY_FIGURE = st.integers(-(10**20), 10**20)


@given(uuid=ANY_TEXT, reason=st.text(st.characters()), node=st.none() | st.integers(0, 9), figure=ANY_FIGURE)
def test_yaml_reads_back_as_what_was_meant(uuid: str | None, reason: str, node: int | None, figure: int) -> None:
    """Whatever a text holds: `no`, `1e3`, quotes, other scripts, no characters at all; however small a number."""
    card = measured(0, figure, figure)._replace(uuid=uuid, numa_node=node, problems=(Problem(reason, "x", "y"),))
    document = info_document([card])
    assert yaml.safe_load(to_yaml(document)) == json.loads(to_json(document)) == document


@pytest.mark.parametrize("microwatts", [1, 2, 10, 15, 10**20, 10**22])
def test_a_number_in_short_form_stays_a_number(microwatts: int) -> None:
    """YAML 1.1 takes `1e-06` for a text."""
    document = info_document([measured(0, 1, microwatts)])
    assert yaml.safe_load(to_yaml(document)) == document
