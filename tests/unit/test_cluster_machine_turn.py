"""Tests of clusters share the machine; one that judges times has it alone, and those that come later wait for it."""

import fcntl
import threading
from pathlib import Path

import pytest

from tests.cluster.machine_turn import file_and_release, turn


def can_lock(file: Path, how: int) -> bool:
    with file.open("w") as opened:
        try:
            fcntl.flock(opened, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@pytest.mark.parametrize(("alone", "others"), [(False, True), (True, False)])
def test_others_run_beside_a_test_unless_it_is_alone(tmp_path: Path, alone: bool, others: bool) -> None:
    """And the door is open again once it runs."""
    with turn(tmp_path, alone=alone):
        assert can_lock(tmp_path / ".machine.lock", fcntl.LOCK_SH) == others
        assert not can_lock(tmp_path / ".machine.lock", fcntl.LOCK_EX)
        assert can_lock(tmp_path / ".door.lock", fcntl.LOCK_EX)
    assert can_lock(tmp_path / ".machine.lock", fcntl.LOCK_EX)


def test_who_waits_to_be_alone_comes_before_those_that_come_later(tmp_path: Path) -> None:
    """The door stays shut until the one that runs has ended."""
    order: list[str] = []

    def take(name: str, alone: bool) -> None:
        with turn(tmp_path, alone=alone):
            order.append(name)

    with turn(tmp_path, alone=False):
        waiting = threading.Thread(target=take, args=("alone", True))
        waiting.start()
        while can_lock(tmp_path / ".door.lock", fcntl.LOCK_EX):
            assert waiting.is_alive()
        later = threading.Thread(target=take, args=("later", False))
        later.start()
        assert order == []
    waiting.join()
    later.join()
    assert order == ["alone", "later"]


@pytest.mark.parametrize(
    ("test", "together"),
    [
        ("tests/cluster/test_upkeep.py::test_a[1.37.2-stopped]", "tests/cluster/test_upkeep.py 1.37.2"),
        ("tests/cluster/test_upkeep.py::test_b[1.20.2]", "tests/cluster/test_upkeep.py 1.20.2"),
        ("tests/cluster/test_upkeep.py::test_c[plugin-1.20.2-a]", "tests/cluster/test_upkeep.py 1.20.2"),
        ("tests/cluster/test_image.py::test_starts[furiosa-npu-cdi]", "tests/cluster/test_image.py any"),
        ("tests/cluster/dra_plane/test_pods.py::test_a[1.37.2]", "dra_plane 1.37.2"),
        ("tests/cluster/dra_plane/test_health.py::test_b[1.37.2]", "dra_plane 1.37.2"),
    ],
)
def test_what_has_one_cluster_stays_in_one_process(test: str, together: str) -> None:
    """A file's tests of a release; a folder of tests has one cluster for all of its files."""
    assert file_and_release(test) == together
