"""What `helm test` takes for an NPU."""

from pathlib import Path

import pytest

from furiosa_npu.chart_hooks.given_cards import given_cards


@pytest.mark.parametrize("folder", [".", "rngd"], ids=["Warboy", "Renegade"])
def test_a_card_is_given_when_each_name_has_a_device_file(tmp_path: Path, folder: str) -> None:
    """A character device, wherever the family has it; a link to one will do."""
    (tmp_path / "rngd").mkdir()
    for name in ("npu0pe0-3", "npu0pe4-7"):
        (tmp_path / folder / name).symlink_to("/dev/null")
    told = {"NPU_DEVNAME": "npu0pe0-3,npu0pe4-7"}
    assert given_cards(told, str(tmp_path)) == ("NPU_DEVNAME=npu0pe0-3,npu0pe4-7: each has its device file", True)


@pytest.mark.parametrize("environment", [{}, {"NPU_DEVNAME": ""}])
def test_a_container_without_a_card_is_none(tmp_path: Path, environment: dict[str, str]) -> None:
    """Neither plane was there when it was made."""
    said = "NPU_DEVNAME: found nothing, expected the name of an NPU's PEs, as in npu0pe0-1"
    assert given_cards(environment, str(tmp_path)) == (said, False)


def test_a_name_without_its_device_file_is_no_card(tmp_path: Path) -> None:
    """A plain file of that name is none either."""
    (tmp_path / "npu0pe0-1").touch()
    assert given_cards({"NPU_DEVNAME": "npu0pe0-1"}, str(tmp_path)) == (
        f"NPU_DEVNAME=npu0pe0-1: found no device file {tmp_path}/npu0pe0-1 or {tmp_path}/rngd/npu0pe0-1",
        False,
    )
