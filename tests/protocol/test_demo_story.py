"""The demo's story on a real plugin: it ends well only if each step happened, and it always clears up."""

import asyncio
import contextlib
import os
import sys
import tempfile

import pytest

from furiosa_npu.demo.__main__ import main
from furiosa_npu.demo.node import Node
from furiosa_npu.demo.story import StepFailed, Story
from tests.protocol.plugin_node import cards


async def test_a_step_that_does_not_happen_ends_the_story(folder: str) -> None:
    """Both cards fail before the first pod asks: the story says what it expected and what came instead."""
    async with Node(folder, cards("warboy", "warboy")) as node:

        def sabotage(line: str) -> None:
            if line.startswith("2."):
                node.simulation.fail("npu0")
                node.simulation.fail("npu1")

        with pytest.raises(StepFailed, match=r"pod npu-pod is Running, not .*UnexpectedAdmissionError.*not alive"):
            await Story(node, sabotage).tell()


async def test_a_demo_that_is_stopped_leaves_nothing(folder: str) -> None:
    """SIGTERM in the middle: exit 1, no temporary folder, no child that runs on."""
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "furiosa_npu.demo"),
        env={**os.environ, "TMPDIR": folder},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert demo.stdout is not None
    assert (await demo.stdout.readuntil(b"2. Pod")).startswith(b"1. ")
    demo.terminate()
    _, complaint = await demo.communicate()
    assert (demo.returncode, complaint) == (1, b"furiosa-npu-demo: stopped; nothing is left behind\n")
    assert os.listdir(folder) == []
    assert _commands_with(folder) == []


def _commands_with(words: str) -> list[str]:
    """Command lines of the machine's processes that hold the words (proc(5))."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{entry}/cmdline", "rb") as file:
            found.append(file.read().replace(b"\0", b" ").decode())
    return [command for command in found if words in command]


def test_a_folder_that_cannot_be_used_is_named(
    folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit 1, no traceback."""
    monkeypatch.setattr(tempfile, "tempdir", f"{folder}/none")
    assert main([]) == 1
    said = capsys.readouterr().err
    assert said.startswith("furiosa-npu-demo: ")
    assert f"{folder}/none" in said
    assert said.count("\n") == 1
