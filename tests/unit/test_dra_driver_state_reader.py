"""What is prepared, as one of several instances reads it."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from furiosa_npu.dra_driver.claim_files import ClaimFilesError
from furiosa_npu.dra_driver.state_file import LOCK_NAME, StateError, StateLost
from furiosa_npu.dra_driver.state_reader import StateReader
from tests.unit.test_dra_driver_preparer import SERVE, TRAIN, Desk, at_once, run


class Reading:
    """A reader of the desk's folder; how each reading went is in `told`."""

    def __init__(self, desk: Desk, boot_id: str = "boot-1") -> None:
        self.told: list[StateError | ClaimFilesError | None] = []
        self.reader = StateReader(desk.store, boot_id, at_once, self.told.append)

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


def test_cdi_files_of_prepared_claims_that_are_gone_are_written_again(desk: Desk) -> None:
    """Another tool cleaned up their folder, or mounted another one over it; those of an earlier boot are of no use."""
    desk.prepared(TRAIN)
    written = {path.name: path.read_text() for path in desk.cdi.iterdir()}
    shutil.rmtree(desk.cdi)
    assert Reading(desk, "boot-2").uids() == {TRAIN.uid}
    assert not desk.cdi.exists()
    reading = Reading(desk)
    assert reading.uids() == {TRAIN.uid}
    assert {path.name: path.read_text() for path in desk.cdi.iterdir()} == written
    assert reading.told == [None]


def test_a_cdi_file_that_cannot_be_written_again_is_told_and_hides_no_claim(desk: Desk) -> None:
    """Something else stands where its folder was; once that is gone, all is well."""
    desk.prepared(TRAIN)
    reading = Reading(desk)
    shutil.rmtree(desk.cdi)
    desk.cdi.touch()
    assert reading.uids() == {TRAIN.uid}
    desk.cdi.unlink()
    assert reading.uids() == {TRAIN.uid}
    assert [type(error) for error in reading.told] == [ClaimFilesError, type(None)]
