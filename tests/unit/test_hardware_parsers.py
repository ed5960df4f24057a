"""What the texts of driver files mean; no text is believed that does not say it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.hardware import parsers


def _state_of(version: str | None) -> Callable[[str], bool]:
    return lambda text: parsers.parse_device_state(text, version)


GOOD: list[tuple[Callable[[str], Any], str, Any]] = [
    (parsers.parse_alive, "1", True),
    (parsers.parse_alive, "0", False),
    (parsers.parse_seconds, "14649", 14649),
    (parsers.parse_hwtype, "FuriosaAI", None),
    (parsers.parse_hwtype, "VITIS", "u250"),
    (parsers.parse_hwtype, "HaPs", "haps"),
    (_state_of("2023.9.0, abc"), "1", True),
    (_state_of("2024.1.9"), "0", False),
    (_state_of("2024.2.0, abc"), "0", True),
    (_state_of("2026.4.0, abc"), "1", False),
    (parsers.parse_pci_bdf, "0000:6D:00.0", "0000:6d:00.0"),
    (parsers.parse_device_number, "509:0", "509:0"),
    (
        parsers.parse_counters,
        "AXI Post Error: 0\nAXI Doorbell done: 7\nDevice Error: 18446744073709551615",
        (("AXI Post Error", 0), ("AXI Doorbell done", 7), ("Device Error", 2**64 - 1)),
    ),
    (
        parsers.parse_counters,
        "ne tensor (MHz): 2000\ndram (MT/s): 4266",
        (("ne tensor (MHz)", 2000), ("dram (MT/s)", 4266)),
    ),
    (parsers.parse_clocks, "1000\n2000", (("0", 1000), ("1", 2000))),
    (parsers.parse_performance_mode, "4 (FULL 1)", 4),
    (parsers.parse_performance_mode, "0", 0),
    (parsers.parse_throttle_reasons, "0x84", 0x84),
    (parsers.parse_throttle_reasons, "1", 1),
    (parsers.parse_occupancy, "0\n1\n" + "0\n" * 6, (False, True) + (False,) * 6),
    (parsers.parse_pe_ids, "0,1,0-1", ("0", "1", "0-1")),
    (
        parsers.parse_perf_regs,
        "CycleCountHigh: 0x1\nCycleCount: 0xffffffff",
        {"CycleCountHigh": 1, "CycleCount": 0xFFFFFFFF},
    ),
    (parsers.parse_numa_node, "-1", None),
    (parsers.parse_numa_node, "0", 0),
    (parsers.parse_link_speed, "32.0 GT/s PCIe", 32.0),
    (parsers.parse_link_speed, "Unknown", None),
]
BAD: list[tuple[Callable[[str], Any], str]] = [
    (parsers.parse_alive, "2"),
    (parsers.parse_alive, ""),
    (parsers.parse_alive, "true"),
    (parsers.parse_seconds, "-1"),
    (parsers.parse_seconds, "1e3"),
    (parsers.parse_seconds, "१"),
    (parsers.parse_hwtype, "furiosaai"),
    (parsers.parse_hwtype, ""),
    (_state_of(None), "1"),
    (_state_of("unknown"), "0"),
    (_state_of("2026.4.0"), "3"),
    (parsers.parse_pci_bdf, "6d:00.0"),
    (parsers.parse_pci_bdf, "0000:6d:20.0"),
    (parsers.parse_device_number, "509"),
    (parsers.parse_counters, ""),
    (parsers.parse_counters, "AXI Post Error 0"),
    (parsers.parse_counters, "AXI Post Error: -1"),
    (parsers.parse_performance_mode, "6 (MORE)"),
    (parsers.parse_performance_mode, "4 FULL"),
    (parsers.parse_throttle_reasons, "0x"),
    (parsers.parse_throttle_reasons, "thermal"),
    (parsers.parse_occupancy, "0\n" * 7),
    (parsers.parse_occupancy, "2\n" * 8),
    (parsers.parse_perf_regs, "CycleCount: 12"),
    (parsers.parse_perf_regs, "CycleCount: 0x12"),
    (parsers.parse_numa_node, "-2"),
    (parsers.parse_link_speed, "fast"),
    (parsers.parse_text, ""),
    (parsers.parse_text, "two\nlines"),
]


@pytest.mark.parametrize(("parse", "text", "expected"), GOOD)
def test_documented_texts_have_their_meaning(parse: Callable[[str], Any], text: str, expected: Any) -> None:
    """The examples of the drivers' documentation, and both generations of device_state."""
    assert parse(text) == expected


@pytest.mark.parametrize(("parse", "text"), BAD)
def test_other_texts_are_refused_with_what_was_expected(parse: Callable[[str], Any], text: str) -> None:
    """A value that is not understood is no value."""
    with pytest.raises(ValueError, match=r"\w"):
        parse(text)


@given(text=st.text() | st.from_regex(r"([A-Za-z ]+: ?(0x)?[0-9a-f]+\n?){1,4}"))
@pytest.mark.parametrize("parse", list(dict.fromkeys(parse for parse, _, _ in GOOD)))
def test_no_text_raises_anything_but_value_error(parse: Callable[[str], Any], text: str) -> None:
    """Whatever a file holds."""
    try:
        parse(text)
    except ValueError as error:
        assert type(error) is ValueError  # noqa: PT017 - UnicodeError and friends are ValueErrors too
