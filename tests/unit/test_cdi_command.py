"""`furiosa-npu-cdi`: what it prints and writes, and how it fails."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from furiosa_npu import __version__
from furiosa_npu.cdi import spec_file
from furiosa_npu.cdi_command.__main__ import run
from furiosa_npu.simulator import Simulation, parse_scenario
from tests.unit.cdi_rules import complaints

UUIDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(3)]
MIXED = "cards:\n" + "".join(
    f"- {{family: {family}, uuid: {uuid}}}\n"
    for family, uuid in zip(["warboy", "renegade", "renegade"], UUIDS, strict=True)
)
NAME = "furiosa.ai-npu.json"


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation.create(str(tmp_path / "sim"), parse_scenario(MIXED), plain_files=True)


def _roots(simulation: Simulation) -> dict[str, str]:
    return {"FURIOSA_DEVFS_ROOT": simulation.roots.devfs, "FURIOSA_SYSFS_ROOT": simulation.roots.sysfs}


def _generate(simulation: Simulation, *arguments: str) -> int:
    return run(("generate", *arguments), _roots(simulation))


def _names(document: Any) -> list[str]:
    assert complaints(document) == []
    return [device["name"] for device in document["devices"]]


def test_all_cards_of_the_host_are_printed(simulation: Simulation, capsys: pytest.CaptureFixture[str]) -> None:
    """Of both families, by UUID, and by the name that one alone has; with files of the roots that were said."""
    assert _generate(simulation) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert (_names(document), printed.err) == ([*UUIDS, "npu1"], "")
    first = document["devices"][0]["containerEdits"]
    node = {"path": "/dev/npu0", "hostPath": f"{simulation.roots.devfs}/npu0", "permissions": "rw"}
    assert first["deviceNodes"][0] == node
    assert [mount["containerPath"] for mount in first["mounts"]] == [simulation.roots.sysfs]


def test_a_folder_or_a_file_is_written_where_it_differs(simulation: Simulation, tmp_path: Path) -> None:
    """The folder's file is called as runtimes' tools call it; the same cards leave the same file."""
    path = tmp_path / "cdi" / NAME
    for arguments in (("--cdi-dir", str(path.parent)), ("--output", str(path))):
        assert _generate(simulation, *arguments) == 0
        written = spec_file.identity(str(path))
        assert _names(json.loads(path.read_text())) == [*UUIDS, "npu1"]
        assert _generate(simulation, *arguments) == 0
        assert (os.listdir(path.parent), spec_file.identity(str(path))) == ([NAME], written)
        simulation.remove(UUIDS[2])
        assert _generate(simulation, *arguments) == 0
        assert _names(json.loads(path.read_text())) == UUIDS[:2]
        simulation.add(UUIDS[2])


def test_what_a_run_that_was_broken_off_left_is_removed_by_the_next(simulation: Simulation, tmp_path: Path) -> None:
    """Beside the file that it was to write."""
    (tmp_path / f".{NAME}.0a1b2c3d.new").write_text("{")
    assert _generate(simulation, "--output", str(tmp_path / NAME)) == 0
    assert sorted(os.listdir(tmp_path)) == [NAME, "sim"]


def test_furiosactl_is_mounted_where_it_is_named(
    simulation: Simulation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is no program is an error, before anything is written."""
    program = tmp_path / "furiosactl"
    assert _generate(simulation, "--furiosactl", str(program), "--cdi-dir", str(tmp_path / "cdi")) == 1
    said = f"furiosa-npu-cdi: {program}: found no program, expected the static furiosactl for containers\n"
    assert (capsys.readouterr(), (tmp_path / "cdi").exists()) == (("", said), False)
    program.mkdir()
    assert _generate(simulation, "--furiosactl", str(program)) == 1
    assert capsys.readouterr() == ("", said)
    program.rmdir()
    program.write_text("")
    program.chmod(0o755)
    assert _generate(simulation, "--furiosactl", os.path.relpath(program)) == 0
    mount = json.loads(capsys.readouterr().out)["devices"][0]["containerEdits"]["mounts"][0]
    assert (mount["hostPath"], mount["containerPath"]) == (str(program), "/usr/bin/furiosactl")


def test_a_card_that_can_be_no_device_is_said_and_the_others_are_written(
    simulation: Simulation, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error; the command has done what it can."""
    simulation.fail(UUIDS[2], "no-device-files")
    assert _generate(simulation) == 0
    printed = capsys.readouterr()
    assert _names(json.loads(printed.out)) == UUIDS[:2]
    said = f"left out: npu1 ({UUIDS[2]}): no device file below {simulation.roots.devfs}"
    assert printed.err == f"furiosa-npu-cdi: {said}\n"


def test_without_a_card_nothing_is_written_and_it_is_said_where_was_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A specification without a device is none; roots are shown as they were meant, from the current folder on."""
    path = tmp_path / NAME
    path.write_text("old")
    roots = ("--devfs-root", os.path.relpath(tmp_path / "dev"), "--sysfs-root", f"{tmp_path}/sys")
    assert run(("generate", *roots, "--output", str(path)), {}) == 1
    said = f"furiosa-npu-cdi: NPUs below {tmp_path}/dev and {tmp_path}/sys: found none, expected one at least\n"
    assert (capsys.readouterr(), path.read_text()) == (("", said), "old")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("file/cdi.json", "cannot be read: Not a directory: a part of the path is no folder"),
        ("folder", "found no regular file, expected one to replace, or none"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(
    simulation: Simulation, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, said: str
) -> None:
    """A device file or a folder is not replaced."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    assert _generate(simulation, "--output", f"{tmp_path}/{place}") == 1
    assert capsys.readouterr() == ("", f"furiosa-npu-cdi: {tmp_path}/{place}: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "found no subcommand, expected generate (--help says more)"),
        (("write",), "found the word 'write', expected generate or an option"),
        (("generate", "--cdi-dir=a", "--output=b"), "found --cdi-dir and --output, expected one of them"),
        (("generate", "--cdi-dir="), "--cdi-dir: found an empty text, expected a path"),
        (("generate", "--cdi-dir=a", "--output="), "--output: found an empty text, expected a path"),
        (("generate", "--node-name=a"), "--node-name=a: unknown option; furiosa-npu-cdi --help lists the options"),
    ],
)
def test_wrong_use_is_named(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    with pytest.raises(SystemExit) as ended:
        run(arguments, {})
    assert (ended.value.code, capsys.readouterr()) == (2, ("", f"furiosa-npu-cdi: {said}\n"))


def test_help_and_version_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; the help names the subcommand and each option."""
    for arguments in (("--version",), ("generate", "--help")):
        with pytest.raises(SystemExit) as ended:
            run(arguments, {})
        assert ended.value.code == 0
    version, _, text = capsys.readouterr().out.partition("\n")
    assert version == f"furiosa-npu-cdi {__version__}"
    words = ("generate", "--devfs-root", "--sysfs-root", "--furiosactl", "--cdi-dir", "--output", "--version")
    assert all(word in text for word in words)


def test_a_standard_output_that_takes_nothing_is_an_error(simulation: Simulation) -> None:
    """The whole program: exit code 1, and which of its ends it was."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "furiosa_npu.cdi_command", "generate"],
            env=os.environ | _roots(simulation),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "furiosa-npu-cdi: standard output: No space left on device\n")
