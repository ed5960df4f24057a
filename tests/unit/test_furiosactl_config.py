"""`furiosactl config`: what the driver shows and lets one set, whole outputs."""

from pathlib import Path

import pytest

from furiosa_npu.furiosactl.__main__ import run
from furiosa_npu.furiosactl.output import Output
from furiosa_npu.simulator.__main__ import main as simulator

WRITE_ONLY = "".join(
    f"npu0 {key}: (write only)\n" for key in ("performance_level", "device_led", "ne_clock", "ne_dtm_policy")
)


class Host:
    """A Warboy npu0 and a Renegade npu1."""

    def __init__(self, folder: Path) -> None:
        scenario = folder / "scenario.yaml"
        scenario.write_text("cards: [{family: warboy}, {family: renegade, index: 1}]\n")
        assert simulator(["create", "--plain-files", str(folder), str(scenario)]) == 0
        self.warboy = folder / "sys/class/npu_mgmt/npu0_mgmt"
        self.renegade = folder / "sys/class/rngd_mgmt/rngd!npu1mgmt"
        self._roots = [f"--devfs-root={folder}/dev", f"--sysfs-root={folder}/sys"]

    def config(self, *words: str) -> Output:
        return run([*self._roots, "config", *words], {})


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_get_shows_all_settings_of_all_cards(host: Host) -> None:
    """A write-only key is said to be so, no value is invented."""
    assert host.config("get") == Output(
        f"npu0 performance_mode: 4 (FULL 1)\n{WRITE_ONLY}npu1 npu_governor: performance\n"
    )


def test_get_shows_one_card_or_one_key(host: Host) -> None:
    """As asked for."""
    assert host.config("get", "npu1") == Output("npu1 npu_governor: performance\n")
    assert host.config("get", "npu0", "performance_mode") == Output("npu0 performance_mode: 4 (FULL 1)\n")


@pytest.mark.parametrize(
    ("words", "written", "file"),
    [
        (("npu0", "performance_mode", "half"), "1", "performance_mode"),
        (("npu0", "performance_mode", "5"), "5", "performance_mode"),
        (("npu0", "device_led", "7"), "7", "device_led"),
        (("npu0", "ne_dtm_policy", "On Demand"), "1", "ne_dtm_policy"),
    ],
)
def test_set_gives_the_driver_its_number(host: Host, words: tuple[str, ...], written: str, file: str) -> None:
    """Of a name or a number, whatever its case; what was written is said."""
    assert host.config("set", *words) == Output(f"npu0 {file}: {written}\n")
    assert (host.warboy / file).read_text() == f"{written}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "config: found nothing, expected get [NPU [KEY]] or set NPU KEY VALUE"),
        (("set", "npu0"), "config: found set npu0, expected get [NPU [KEY]] or set NPU KEY VALUE"),
        (("get", "npu0", "a", "b"), "config: found get npu0 a b, expected get [NPU [KEY]] or set NPU KEY VALUE"),
        (("get", "npu1", "led"), "unknown key led of a renegade, expected one of npu_governor"),
        (("set", "npu1", "npu_governor", "fast"), "npu_governor: found fast, expected performance or powersave"),
        (("set", "npu0", "ne_clock", "-1"), "ne_clock: found -1, expected a number that the driver knows"),
        (("set", "npu0", "ne_clock", ""), "ne_clock: found nothing, expected a number that the driver knows"),
    ],
)
def test_wrong_words_never_reach_the_driver(host: Host, words: tuple[str, ...], message: str) -> None:
    """Exit code 2 and what was expected."""
    assert host.config("--", *words) == Output("", (message,), 2)


def test_a_setting_that_this_driver_lacks_is_said_to_be_absent(host: Host) -> None:
    """Getting it is no failure, setting it is."""
    path = host.renegade / "npu_governor"
    path.unlink()
    assert host.config("get", "npu1") == Output("npu1 npu_governor: (this driver has none)\n")
    expected = Output("", (f"{path}: No such file or directory",), 1)
    assert host.config("set", "npu1", "npu_governor", "powersave") == expected


def test_a_setting_that_cannot_be_read_hides_no_other(host: Host) -> None:
    """The rest is shown, the error named, exit code 1."""
    path = host.warboy / "performance_mode"
    path.write_bytes(b"\xff")
    output = host.config("get")
    assert (output.text, output.exit_code) == (f"{WRITE_ONLY}npu1 npu_governor: performance\n", 1)
    assert output.complaints == (
        f"npu0 performance_mode: {path}: found bytes that are no UTF-8: b'\\xff', expected the driver's setting",
    )


def test_a_card_without_its_management_folder_is_an_error_of_its_own(host: Host) -> None:
    """Nobody says that its driver has no such setting."""
    host.renegade.unlink()
    output = host.config("get")
    assert (output.text, output.exit_code) == (f"npu0 performance_mode: 4 (FULL 1)\n{WRITE_ONLY}", 1)
    path = host.renegade / "npu_governor"
    assert output.complaints == (f"npu1 npu_governor: {path}: found no management folder, expected the driver's",)
