"""Runs of test clusters on one machine: which is the youngest, and that one at a time begins or ends."""

import fcntl
import threading
import time
from pathlib import Path

import pytest

from tests.cluster import runs


def test_runs_sort_by_name_as_they_began_also_over_the_turn_of_a_year() -> None:
    """`sweep` keeps the logs of the youngest."""
    begun = ["2026-11-28 23:59:59", "2026-12-31 23:59:59", "2027-01-01 00:00:00"]
    ids = [runs.run_id(time.strptime(at, "%Y-%m-%d %H:%M:%S"), "beef") for at in begun]
    assert ids == sorted(ids)


def test_a_run_clears_its_folder_while_no_other_one_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that begins clears the folders of dead ones, and two would be at the same files."""
    monkeypatch.setenv("FURIOSA_NPU_CACHE", str(tmp_path))
    run = runs.Run()
    ending = threading.Thread(target=run.close)
    with (tmp_path / ".runs.lock").open("w") as beginning:
        fcntl.flock(beginning, fcntl.LOCK_EX)
        ending.start()
        assert (runs.lives(run.folder), sorted(one.name for one in run.folder.iterdir())) == (True, ["lock", "logs"])
    ending.join()
    assert (runs.lives(run.folder), [one.name for one in run.folder.iterdir()]) == (False, ["logs"])
