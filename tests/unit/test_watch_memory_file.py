"""What agents leave to the next one in a file, two of them at once during a rolling update."""

import asyncio
import os
from pathlib import Path

from furiosa_npu.agent.log import Log
from furiosa_npu.health.history import NEW, Standing
from furiosa_npu.health.recall import Recalled
from furiosa_npu.health.verdict import Verdict
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.memory_file import FILE_NAME, MemoryFile
from tests.unit.desk import Desk

FAILED = Verdict("failed", "not-alive", "not alive", 5.0, (), NEW._replace(standing=Standing(True, 3, 9.0, None)))

LATER = 1e6


def _memory(folder: Path) -> MemoryFile:
    return MemoryFile(str(folder), Desk(1.0, lambda: 0.0).as_reader, Conditions(Log(write=lambda _: None)))


def test_what_an_agent_that_was_killed_had_begun_to_write_is_removed_at_the_next_ones_start(tmp_path: Path) -> None:
    """Else each kill in that instant would leave a file for ever."""
    (tmp_path / f".{FILE_NAME}.0a1b2c3d.new").write_text('{"format": 1, ')
    assert _memory(tmp_path).read(LATER) == Recalled()
    assert os.listdir(tmp_path) == []


def test_what_another_instance_writes_at_the_same_moment_damages_nothing(tmp_path: Path) -> None:
    """A card that fails is written down by both at once."""
    others = os.fspath(tmp_path / f"{FILE_NAME}.new")
    with open(others, "w", encoding="utf-8") as file:
        file.write('{"format": 1, ')
        file.flush()
        asyncio.run(_memory(tmp_path).keep({"a": FAILED}, {}))
        file.write('"cards": {}}')
    remembered = _memory(tmp_path).read(LATER).verdicts
    assert (list(remembered), remembered["a"].reason) == (["a"], "not alive")
