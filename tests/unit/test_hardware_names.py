"""Names of device files, both families."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.hardware.device_names import DeviceName, order, parse_device_name
from furiosa_npu.hardware.reading import FAMILIES, Family

IDS = st.integers(0, 255)


@pytest.mark.parametrize(
    ("family", "name", "expected"),
    [
        ("warboy", "npu0", DeviceName(0, "card")),
        ("warboy", "npu255pe1", DeviceName(255, "pe", 1, 1)),
        ("warboy", "npu10pe0-1", DeviceName(10, "fusion", 0, 1)),
        ("warboy", "npu1_mgmt", DeviceName(1, "management")),
        ("warboy", "npu1ch3", DeviceName(1, "channel")),
        ("warboy", "npu1_bar4", DeviceName(1, "bar")),
        ("renegade", "npu1mgmt", DeviceName(1, "management")),
        ("renegade", "npu1ch7r", DeviceName(1, "channel")),
        ("renegade", "npu1bar0", DeviceName(1, "bar")),
        ("renegade", "npu1dmar", DeviceName(1, "dma")),
        ("renegade", "npu1p2pmem", DeviceName(1, "p2pmem")),
        ("renegade", "npu12pe4-7", DeviceName(12, "fusion", 4, 7)),
        ("renegade", "npu1something", DeviceName(1, "other")),
    ],
)
def test_each_documented_name_is_understood(family: Family, name: str, expected: DeviceName) -> None:
    """One name of each kind."""
    assert parse_device_name(family, name) == expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "name",
    [
        *["npu", "npu256pe0", "npu00pe0", "npu01pe0", "npu0pe1-1", "npu0pe1-0", "npu0pe01", "npu0pe0-256", "npu-1"],
        *["Npu0", "xnpu0pe0", "npu0pe0 ", "npu0pe0\n", "npu٣pe0", "npu1234", "npu0pe0-"],
    ],
)
def test_what_is_no_name_of_a_card_is_nobodys(family: Family, name: str) -> None:
    """Ids above 255, leading zeros, ranges that do not rise, other scripts' digits; npu1 is not npu10."""
    device = parse_device_name(family, name)
    assert device is None or (family == "renegade" and device.kind == "other")


@given(index=IDS, first=IDS, last=IDS, family=st.sampled_from(FAMILIES))
def test_a_name_written_from_numbers_reads_back_as_them(index: int, first: int, last: int, family: Family) -> None:
    """Round trip for PEs and their groups."""
    expected = DeviceName(index, "fusion", first, last) if first < last else None
    assert parse_device_name(family, f"npu{index}pe{first}-{last}") == expected
    assert parse_device_name(family, f"npu{index}pe{first}") == DeviceName(index, "pe", first, first)


@given(name=st.text(max_size=30), family=st.sampled_from(FAMILIES))
def test_any_text_is_a_name_or_none(name: str, family: Family) -> None:
    """Nothing raises, and what is understood has an id in bounds."""
    device = parse_device_name(family, name)
    assert device is None or 0 <= device.index <= 255


def test_files_stand_whole_card_first_then_by_width_then_by_first_pe() -> None:
    """The order that people and `list` show."""
    names = ["npu0_mgmt", "npu0pe0-1", "npu0pe1", "npu0", "npu0ch0", "npu0pe0"]

    def key(name: str) -> tuple[int, int, int, str]:
        device = parse_device_name("warboy", name)
        assert device is not None
        return order(name, device)

    assert sorted(names, key=key) == ["npu0", "npu0pe0", "npu0pe1", "npu0pe0-1", "npu0_mgmt", "npu0ch0"]
