"""The READMEs' commands for one machine, run as they stand."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.markdown import ENGLISH, REPOSITORY, blocks

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
SECONDS = 60.0
"""What the README promises of the demo."""


def _copy(folder: Path) -> Path:
    """What a checkout holds, readable by everybody."""
    place = folder / "checkout"
    for name in ("src", "examples", "scripts"):
        shutil.copytree(REPOSITORY / name, place / name, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, place)
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    return place


def _run(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of the README's reader: no variable of this Python's virtual environment reaches it."""
    of_user = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return subprocess.run(
        words,
        cwd=folder,
        env={**of_user, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=5 * SECONDS,
        check=False,
    )


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder in which every user may work; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="npu-", dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("who", ["who runs the tests", *(["an ordinary user"] if os.getuid() == 0 else [])])
def test_the_demo_ends_with_what_the_readme_shows(open_folder: Path, who: str) -> None:
    """Exit 0, the pod's view as the README has it, nothing left behind; root and an ordinary user alike."""
    checkout = _copy(open_folder)
    temporary = open_folder / "tmp"
    temporary.mkdir()
    temporary.chmod(0o1777)
    as_who = [*NOBODY] if who == "an ordinary user" else []
    done = _run([*as_who, f"{checkout}/scripts/demo"], open_folder, TMPDIR=str(temporary))
    assert done.returncode == 0, done.stdout + done.stderr
    (shown,) = (block.text for block in blocks(ENGLISH) if block.text.startswith("root@npu-pod"))
    assert _any_major(shown) in _any_major(done.stdout)
    (took,) = re.findall(r"^All of it in ([0-9.]+) s", done.stdout, re.MULTILINE)
    assert float(took) < SECONDS
    assert list(temporary.iterdir()) == []


def _any_major(text: str) -> str:
    """The simulator takes a device major that is free on the machine: PCI-DEV is 510:0 on one and 506:0 on another."""
    return re.sub(r"\b\d{3}:0\b", "MAJ:0", text)


def test_the_developers_block_runs_as_it_stands(tmp_path: Path) -> None:
    """In a checkout, line by line in one shell; only the simulation's folder is another."""
    checkout = _copy(tmp_path)
    block = next(block.text for block in blocks(ENGLISH) if "pip install" in block.text)
    script = block.replace("/tmp/npus", f"{tmp_path}/npus")
    done = _run(["bash", "-eu", "-c", script], checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    listed, _, after_fail = done.stdout.partition("fault not-alive")
    assert "| npu0 | npu0      | All PE(s) | Ready  |" in listed
    assert 'status: "Failed"' in after_fail
    assert "root@npu-pod:/# furiosactl info" in after_fail
