"""The state file on a real disk: whole or as it was, one writer at a time, and a reason for each no."""

import fcntl
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.prepared import PreparedClaim, State
from furiosa_npu.dra_driver.prepared_document import to_text
from furiosa_npu.dra_driver.state_file import FILE_NAME, LOCK_NAME, MAXIMUM_BYTES, StateError, StateFile, StateLost


def _state(*uids: str) -> State:
    return {uid: PreparedClaim(ClaimName("default", "train", uid), "boot-1", ()) for uid in uids}


def _written(folder: Path, state: State) -> Path:
    with StateFile(str(folder)).locked() as file:
        file.write(state)
    return folder / FILE_NAME


def _read(folder: Path) -> State | None:
    with StateFile(str(folder)).locked() as file:
        return file.read()


def test_what_one_instance_wrote_another_reads(tmp_path: Path) -> None:
    """For root alone, and nothing but the file and its lock is left in the folder."""
    assert _read(tmp_path) is None
    path = _written(tmp_path, _state("uid-1"))
    assert _read(tmp_path) == _state("uid-1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == [FILE_NAME, LOCK_NAME]


def test_the_lock_keeps_the_other_instance_out_until_it_is_given_back(tmp_path: Path) -> None:
    """Whoever opens the lock file, in this process or another."""
    file = StateFile(str(tmp_path))
    with file.locked(), open(tmp_path / LOCK_NAME, "rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(RuntimeError, match="broke off"), file.locked():
        raise RuntimeError("broke off")
    with open(tmp_path / LOCK_NAME, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def _disk_takes(count: int) -> Iterator[None]:
    """As a full disk does, a file that grows larger than `count` bytes gives an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_leaves_the_old_file_whole_and_names_it(tmp_path: Path) -> None:
    """A full disk: the fault is told, and nothing of the new file stays."""
    path = _written(tmp_path, _state("uid-1"))
    before = path.read_bytes()
    with _disk_takes(100), pytest.raises(StateError) as raised:
        _written(tmp_path, _state("uid-1", "uid-2"))
    assert str(raised.value) == f"{path}: File too large: nothing was changed"
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == [FILE_NAME, LOCK_NAME]


def test_the_size_is_bounded_in_both_ways(tmp_path: Path) -> None:
    """What is too large is neither written nor read into memory."""
    path = _written(tmp_path, _state("uid-1"))
    state = {uid: claim._replace(boot_id="b" * MAXIMUM_BYTES) for uid, claim in _state("uid-1").items()}
    with pytest.raises(StateError, match=r"bytes for 1 claims, expected at most 4194304: nothing was changed"):
        _written(tmp_path, state)
    assert _read(tmp_path) == _state("uid-1")
    path.write_text(to_text(state))
    with pytest.raises(StateLost, match=r"found more than 4194304 bytes"):
        _read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{"version": 1', b"null"])
def test_a_damaged_file_is_told_and_left_where_it_is(tmp_path: Path, content: bytes) -> None:
    """Only whoever makes the state out anew sets it aside, each under a name of its own."""
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    with pytest.raises(StateLost, match=rf"^{path}: .* nothing is prepared until it was made out anew$"):
        _read(tmp_path)
    assert path.read_bytes() == content
    (tmp_path / f"{FILE_NAME}.corrupt-1").write_text("an earlier one")
    with StateFile(str(tmp_path)).locked() as file:
        assert file.set_aside() == f"{path}.corrupt-2"
        assert not file.exists()
    assert (tmp_path / f"{FILE_NAME}.corrupt-2").read_bytes() == content


def test_a_newer_drivers_file_is_no_lost_one(tmp_path: Path) -> None:
    """Nothing is made out anew over what a newer driver knows."""
    (tmp_path / FILE_NAME).write_text('{"version": 2}')
    with pytest.raises(StateError, match="a newer driver wrote it; run that one, or drain the node") as raised:
        _read(tmp_path)
    assert not isinstance(raised.value, StateLost)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the lock file that could not be made."""
    path = tmp_path / "none" / LOCK_NAME
    with (
        pytest.raises(StateError, match=rf"^{path}: No such file or directory: without the lock"),
        StateFile(str(tmp_path / "none")).locked(),
    ):
        pass


WRITER = """
import sys
from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.prepared import PreparedClaim
from furiosa_npu.dra_driver.state_file import StateFile
file = StateFile(sys.argv[1])
while True:
    for count in (1, 60):
        with file.locked() as locked:
            locked.write({f"uid-{n}": PreparedClaim(ClaimName("d", "c", f"uid-{n}"), "b", ()) for n in range(count)})
        print(flush=True)
"""


@pytest.mark.parametrize("writes", [1, 2, 5, 8])
def test_a_driver_that_is_killed_leaves_a_whole_file_and_no_lock(tmp_path: Path, writes: int) -> None:
    """At whatever instant."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(writes):
            assert writer.stdout.readline() == b"\n"
        writer.send_signal(signal.SIGKILL)
    state = _read(tmp_path)
    assert state is not None
    assert len(state) in (1, 60)
