"""The worked example of docs/development.md: one family more, from the document's blocks, seen by real commands."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from furiosa_npu.hardware.reading import FAMILIES
from tests.docs.markdown import REPOSITORY, blocks

DOCUMENT = REPOSITORY / "docs/development.md"
MODULES = {
    "furiosa-npu-simulator": "furiosa_npu.simulator",
    "furiosactl": "furiosa_npu.furiosactl",
    "furiosa-npu-cdi": "furiosa_npu.cdi_command",
}
PES = ("pe0", "pe1", "pe2", "pe3", "pe0-1", "pe2-3", "pe0-3")
NAME = re.compile("[\"']({})[\"']".format("|".join(FAMILIES)))
NAMING = {
    *(f"hardware/{it}.py" for it in ("families", "card_reader", "class_npu_mgmt", "controls")),
    "simulator/families.py",
}
"""modules in which a family's name stands in quotation marks"""


def _of(language: str) -> list[str]:
    return [block.text for block in blocks(DOCUMENT) if block.language == language]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the document's changes, and the document's scenario."""
    folder = tmp_path_factory.mktemp("family")
    shutil.copytree(REPOSITORY / "src", folder / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    changes = "".join(_of("diff"))
    applied = subprocess.run(
        ["git", "apply", "-"], cwd=folder, input=changes, capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, applied.stderr
    (scenario,) = _of("yaml")
    (folder / "otter.yaml").write_text(scenario)
    return folder


def _environment(work: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{work}/src"}


@pytest.fixture(scope="module")
def answers(work: Path) -> list[str]:
    """What the document's commands print, `/tmp/otters` being a folder of the test."""
    (commands,) = _of("sh")
    said = []
    for line in commands.splitlines():
        name, *arguments = shlex.split(line.replace("/tmp/otters", f"{work}/otters"))
        command = [sys.executable, "-m", MODULES[name], *arguments]
        done = subprocess.run(command, cwd=work, env=_environment(work), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        said.append(done.stdout)
    return said


def test_it_touches_five_files_two_of_them_new() -> None:
    """As the document says."""
    changes = "".join(_of("diff")).splitlines()
    assert len([line for line in changes if line.startswith("+++ ")]) == 5
    assert changes.count("--- /dev/null") == 2


def test_nothing_else_goes_by_a_familys_name() -> None:
    """Whatever differs is in a record, or in a module that a table names."""
    modules = (REPOSITORY / "src").rglob("*.py")
    naming = {str(it.relative_to(REPOSITORY / "src/furiosa_npu")) for it in modules if NAME.search(it.read_text())}
    assert naming == NAMING


def test_the_card_is_recognised(answers: list[str]) -> None:
    """furiosactl answers what the document shows."""
    (shown,) = _of("")
    assert answers[1] == shown


def test_a_container_is_given_its_device_files(work: Path, answers: list[str]) -> None:
    """All that the driver has of it, and no others."""
    assert len(answers) == 3
    (device, *_) = json.loads((work / "otters/cdi/furiosa.ai-npu.json").read_text())["devices"]
    nodes = [node["path"] for node in device["containerEdits"]["deviceNodes"]]
    assert nodes == [f"/dev/otter/npu0{suffix}" for suffix in (*PES, "mgmt")]


def test_its_node_is_labelled(work: Path, answers: list[str]) -> None:
    """By the labeller itself, which writes the label where Node Feature Discovery takes it from."""
    assert len(answers) == 3
    features = work / "features.d"
    features.mkdir()
    options = {
        "devfs-root": f"{work}/otters/dev",
        "sysfs-root": f"{work}/otters/sys",
        "node-name": "otter-node01",
        "listen-address": "",
        "publish": "features.d",
        "features-dir": str(features),
    }
    command = [sys.executable, "-m", "furiosa_npu.node_labeller", *(f"--{name}={it}" for name, it in options.items())]
    with subprocess.Popen(command, env=_environment(work), stderr=subprocess.PIPE, text=True) as labeller:
        try:
            deadline = time.monotonic() + 60
            while not (features / "furiosa-npu").exists() and time.monotonic() < deadline and labeller.poll() is None:
                time.sleep(0.02)
        finally:
            labeller.terminate()
            _, said = labeller.communicate(timeout=60)
    assert (features / "furiosa-npu").exists(), said
    lines = (features / "furiosa-npu").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["alpha.furiosa.ai/npu.family=otter"]
