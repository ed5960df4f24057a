"""An entry of `disable` that no card goes by is said in the log: it is a typing mistake, or another node's card."""

import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.device_plugin.settings import PROGRAM
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.disable_list import DisableList
from tests.unit.readings import renegade, warboy

THERE = "npu0 (WARBOY-0, 0000:01:00.0), npu1 (RENEGADE-1, 0000:82:00.0)"


def pool(*cards: Reading) -> Pool:
    told: dict[str, Unit] = {}
    for card in cards:
        name = card.uuid or card.name
        told[name] = Unit(name, name, card, judge(None, card, Circumstances(), Rules(), 0.0))
    return told


TWO = pool(warboy(0), renegade(1))


def disabled(*names: str, path: str | None = None) -> tuple[DisableList, Conditions]:
    conditions = Conditions(Log("text", "info"))
    return DisableList(path, PROGRAM.options, names, conditions), conditions


def folder_of_a_config_map(folder: Path) -> Callable[[str], str]:
    """As the kubelet makes it: `config.yaml` is a link by way of `..data`, which it puts on another folder in one step.

    Returns what writes a text there; that returns the file's path.
    """
    (folder / "config.yaml").symlink_to("..data/config.yaml")
    versions = count()

    def write(text: str) -> str:
        version = folder / f"..2026_11_28_{next(versions)}"
        version.mkdir()
        (version / "config.yaml").write_text(text)
        before = os.readlink(folder / "..data") if (folder / "..data").is_symlink() else None
        (folder / "..data_tmp").symlink_to(version.name)
        (folder / "..data_tmp").rename(folder / "..data")
        if before is not None:
            shutil.rmtree(folder / before)
        return str(folder / "config.yaml")

    return write


def lines(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in "".join(capfd.readouterr()).splitlines() if line]


@pytest.mark.parametrize("entry", ["WARBOY-00X", "npu2", "0000:83:00.0"])
def test_an_entry_that_no_card_goes_by_is_said_once_with_the_cards_that_are_there(
    entry: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """However often is looked; the node is ready all the same."""
    disable, conditions = disabled("warboy-0", entry)
    for _ in range(3):
        disable.compare(TWO)
    (line,) = lines(capfd)
    assert f"disable: no card of this node goes by {entry}; there are {THERE}" in line
    assert conditions.troubles() == ()


def test_cards_that_go_by_their_entries_are_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    """By UUID, PCI address or name, in any case; nor is an empty list, nor a driver that has not been loaded."""
    for names in (("warboy-0",), ("0000:82:00.0",), ("NPU1",), ()):
        disabled(*names)[0].compare(TWO)
    disabled("WARBOY-00X")[0].compare({})
    assert lines(capfd) == []


def test_a_card_that_was_there_once_is_no_mistake(capfd: pytest.CaptureFixture[str]) -> None:
    """It was taken out for repair."""
    disable, _ = disabled("RENEGADE-1")
    disable.compare(TWO)
    disable.compare(pool(warboy(0)))
    assert lines(capfd) == []


def test_other_cards_that_come_and_go_are_no_news_of_an_entry(capfd: pytest.CaptureFixture[str]) -> None:
    """It was said; its own card ends it."""
    disable, _ = disabled("RENEGADE-1")
    disable.compare(pool(warboy(0)))
    disable.compare(pool(warboy(0), warboy(2)))
    assert len(lines(capfd)) == 1
    disable.compare(TWO)
    (line,) = lines(capfd)
    assert "well again" in line


def test_a_list_that_changed_is_compared_anew(tmp_path: os.PathLike[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Another mistake is said, and one that was mended is not any more."""
    path = os.path.join(tmp_path, "config.yaml")
    disable, _ = disabled(path=path)
    told = []
    for number, entry in enumerate(("WARBOY-00X", "WARBOY-01X", "WARBOY-0")):
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"disable: [{entry}]\n")
        os.utime(path, ns=(number, number))
        assert disable.now() == (entry,)
        disable.compare(TWO)
        told.append(lines(capfd))
    assert ["goes by WARBOY-00X;" in told[0][0], "goes by WARBOY-01X;" in told[1][0]] == [True, True]
    assert [len(some) for some in told] == [1, 1, 1]
    assert "well again" in told[2][0]


def test_a_config_map_that_changed_is_followed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each time, and although the new file may get the number of one that is gone; a wrong one changes nothing."""
    write = folder_of_a_config_map(tmp_path)
    disable, conditions = disabled(path=write("disable: []\n"))
    told = [disable.now()]
    for entries in (["WARBOY-0"], ["RENEGADE-1"], ["WARBOY-0", "0000:82:00.0"], []):
        write(f"disable: {entries}\n")
        told.append(disable.now())
    assert told == [(), ("WARBOY-0",), ("RENEGADE-1",), ("WARBOY-0", "0000:82:00.0"), ()]
    assert lines(capfd) == []
    write("disable: [WARBOY-0]\n")
    disable.now()
    write("disabled: []\n")
    assert (disable.now(), [part for part, _ in conditions.troubles()]) == (("WARBOY-0",), ["config"])


def test_a_pipe_in_the_files_place_is_not_waited_for(tmp_path: Path) -> None:
    """The agent would stand still, and not even end. What the file last said stays in force."""
    path = tmp_path / "config.yaml"
    path.write_text("disable: [WARBOY-0]\n")
    disable, conditions = disabled(path=str(path))
    assert disable.now() == ("WARBOY-0",)
    path.unlink()
    os.mkfifo(path)
    assert disable.now() == ("WARBOY-0",)
    reason = f"--config {path}: found something other than a regular file, expected a readable YAML file"
    assert conditions.troubles() == (("config", f"{reason}; the last good setting disable stays in force"),)
