"""How furiosactl's output gets out, as the interpreter runs it: encoding, streams that fail, exit codes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from furiosa_npu.simulator.__main__ import main as simulator

COMMAND = [sys.executable, "-m", "furiosa_npu.furiosactl"]


@pytest.fixture
def roots(tmp_path: Path) -> list[str]:
    """A Warboy and a Renegade, plain files."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("cards: [{family: warboy, temperature_celsius: 40}, {family: renegade, index: 1}]\n")
    assert simulator(["create", "--plain-files", str(tmp_path), str(scenario)]) == 0
    return [f"--devfs-root={tmp_path}/dev", f"--sysfs-root={tmp_path}/sys"]


def _run(
    *words: str | bytes, stdout: int = subprocess.PIPE, environment: dict[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [*COMMAND, *words],
        check=False,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **(environment or {})},
    )
    return done.returncode, done.stdout or b"", done.stderr


HOSTILE = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("environment", [{}, HOSTILE, {"PYTHONIOENCODING": "utf-16"}])
def test_output_is_utf8_whatever_locale_and_environment_say(roots: list[str], environment: dict[str, str]) -> None:
    """The degree sign, and the two bytes of it."""
    code, out, error = _run("info", "npu0", *roots, environment=environment)
    assert (code, out.decode().splitlines()[3].split("|")[3], error) == (0, "  40°C ", b"")


LATIN_1 = {"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"}


@pytest.mark.parametrize("environment", [HOSTILE, LATIN_1])
def test_paths_read_the_same_whatever_the_locale(tmp_path: Path, environment: dict[str, str]) -> None:
    """A root named in Korean, in complaints and in documents; also where -X asks for the other encoding."""
    (tmp_path / "한글").mkdir()
    (tmp_path / "한글/npu0").touch()
    for words in (["info", "npu9"], ["list", "--format=yaml"], ["info", "--format=json"]):
        roots = [f"--devfs-root={tmp_path}/한글", f"--sysfs-root={tmp_path}/한글"]
        assert _run(*words, *roots, environment=environment) == _run(*words, *roots)
    command = [COMMAND[0], "-X", "utf8=0", *COMMAND[1:], "list", f"--devfs-root={tmp_path}/없음"]
    done = subprocess.run(command, check=False, capture_output=True, env=environment)
    assert (done.returncode, f"furiosactl: {tmp_path}/없음: found no such folder".encode() in done.stderr) == (1, True)


def test_bytes_that_are_no_utf8_come_out_as_utf8(roots: list[str], tmp_path: Path) -> None:
    """In complaints and in documents: the reason names the root as it was given."""
    assert _run("info", b"\xff", *roots)[2].startswith(b"furiosactl: no NPU \\udcff here, expected one of: npu0 (")
    odd = os.fsencode(tmp_path) + b"/\xff"
    code, out, _ = _run("info", "--format=json", roots[0], b"--sysfs-root=" + odd)
    assert (code, f"{tmp_path}/\\udcff/class" in out.decode()) == (0, True)


def test_a_full_disk_is_an_error() -> None:
    """/dev/full takes nothing: exit code 1."""
    with open("/dev/full", "wb") as full:
        assert _run("version", stdout=full.fileno()) == (
            1,
            b"",
            b"furiosactl: standard output: No space left on device\n",
        )


def test_a_reader_that_has_gone_is_no_news() -> None:
    """Exit code 1, and no word."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert _run("version", stdout=writing) == (1, b"", b"")
    finally:
        os.close(writing)


@pytest.mark.parametrize(("redirection", "code"), [("2>&-", 2), ("2>/dev/full", 2), (">&- 2>&-", 2)])
def test_wrong_use_is_exit_code_2_where_nobody_listens(redirection: str, code: int) -> None:
    """Standard error closed or full."""
    line = f'exec "$@" {redirection}'
    assert subprocess.run(["sh", "-c", line, "sh", *COMMAND, "frob"], check=False).returncode == code


@pytest.mark.parametrize("words", [["info"], ["list", "--format=json"], ["config", "get"]])
def test_a_missing_root_of_device_files_is_said(roots: list[str], words: list[str]) -> None:
    """No cards may be shown for want of it: exit code 1."""
    missing = roots[0] + "/no"
    path = missing.partition("=")[2]
    expected = (
        f"furiosactl: {path}: found no such folder, expected the folder with the NPUs' device files (--devfs-root)\n"
    )
    code, _, error = _run(*words, missing, roots[1])
    assert (code, error.decode()) == (1, expected)


def test_a_failed_card_is_shown_and_its_reason_said(roots: list[str], tmp_path: Path) -> None:
    """In the table a row like the others and exit code 0; in a document the reason is within."""
    assert simulator(["fail", str(tmp_path), "npu1"]) == 0
    code, out, error = _run("list", *roots)
    assert (code, out.count(b"| Failed |"), out.count(b"| Ready  |")) == (0, 14, 4)
    said = b"not alive: the driver's file device_state says that the card does not run"
    assert error == b"furiosactl: npu1 (renegade) failed: " + said + b"\n"
    assert _run("list", "--format=yaml", *roots)[2] == b""
