"""What is prepared, as one of several instances reads it."""

import fcntl
import os
from pathlib import Path

import pytest

from furiosa_npu.dra_driver.state_file import LOCK_NAME, StateError, StateLost
from furiosa_npu.dra_driver.state_reader import StateReader
from tests.unit.test_dra_driver_preparer import SERVE, TRAIN, Desk, at_once, run


class Reading:
    """A reader of the desk's folder; how each reading went is in `told`."""

    def __init__(self, desk: Desk) -> None:
        self.told: list[StateError | None] = []
        self.reader = StateReader(desk.store, at_once, self.told.append)

    def uids(self) -> set[str] | None:
        state = run(self.reader.read())
        return None if state is None else set(state)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    for name, device in ((TRAIN, "npu-w0"), (SERVE, "npu-w1")):
        desk.allocated(name, device)
    return desk


def test_what_another_instance_prepares_or_ends_is_seen(desk: Desk) -> None:
    """Without a call of this instance's own; and nothing is to be read again where nothing happened."""
    reading = Reading(desk)
    assert (reading.reader.is_old(), reading.uids(), reading.reader.is_old()) == (False, set(), False)
    desk.prepared(TRAIN)
    assert (reading.reader.is_old(), reading.uids(), reading.reader.is_old()) == (True, {TRAIN.uid}, False)
    desk.prepared(SERVE)
    run(desk.preparer.unprepare((TRAIN,)))
    assert (reading.reader.is_old(), reading.uids(), reading.reader.is_old()) == (True, {SERVE.uid}, False)
    assert reading.told == [None, None, None]


def test_what_could_not_be_read_is_tried_again(desk: Desk) -> None:
    """Though the file is the same: another instance kept it locked."""
    reading = Reading(desk)
    desk.prepared(TRAIN)
    lock = os.open(desk.path.with_name(LOCK_NAME), os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert (reading.uids(), reading.reader.is_old()) == (None, True)
    os.close(lock)
    assert (reading.uids(), reading.reader.is_old()) == ({TRAIN.uid}, False)
    assert [type(error) for error in reading.told] == [StateError, type(None)]


def test_a_file_that_is_removed_is_seen_too(desk: Desk) -> None:
    """It is lost where claims have CDI files, and that is told."""
    reading = Reading(desk)
    desk.prepared(TRAIN)
    reading.uids()
    desk.path.unlink()
    assert (reading.reader.is_old(), reading.uids()) == (True, None)
    assert [type(error) for error in reading.told] == [type(None), StateLost]
