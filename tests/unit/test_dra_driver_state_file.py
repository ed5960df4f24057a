"""The state file on a real disk: whole or as it was, one writer at a time, and a reason for each no."""

import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.prepared import PreparedClaim, State
from furiosa_npu.dra_driver.prepared_document import to_text
from furiosa_npu.dra_driver.state_file import FILE_NAME, LOCK_NAME, MAXIMUM_BYTES, StateError, StateFile, StateLost

LONG = 30.0
"""real seconds after which a test gives up"""


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


def test_a_lock_that_is_not_given_back_is_waited_for_with_a_bound_and_named(tmp_path: Path) -> None:
    """Another instance that hangs inside it keeps no call of this one for ever; the file stays as it is."""
    path = _written(tmp_path, _state("uid-1"))
    before = path.read_bytes()
    patient, hasty = StateFile(str(tmp_path)), StateFile(str(tmp_path), patience_seconds=0.0)
    with patient.locked(), pytest.raises(StateError) as raised, hasty.locked():
        pass
    assert str(raised.value) == (
        f"{tmp_path}/{LOCK_NAME} is held by another instance of the driver that hangs, or by a call of this one whose "
        "disk does not answer: without the lock nothing is prepared or unprepared"
    )
    assert path.read_bytes() == before


def test_a_lock_that_is_given_back_meanwhile_is_taken(tmp_path: Path) -> None:
    """As between the two instances of a rolling update."""
    _written(tmp_path, _state("uid-1"))
    read: list[State | None] = []
    waiting = threading.Thread(target=lambda: read.append(_read(tmp_path)))
    with StateFile(str(tmp_path)).locked():
        waiting.start()
        assert read == []
    waiting.join(LONG)
    assert read == [_state("uid-1")]


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
    """Whoever makes the state out anew keeps it, each under a name of its own; until then it has its old one too."""
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    with pytest.raises(StateLost, match=rf"^{path}: .* nothing is prepared until it was made out anew$"):
        _read(tmp_path)
    assert path.read_bytes() == content
    (tmp_path / f"{FILE_NAME}.corrupt-1").write_text("an earlier one")
    with StateFile(str(tmp_path)).locked() as file:
        assert [file.keep_damaged(), file.keep_damaged()] == [f"{path}.corrupt-2"] * 2
        assert path.read_bytes() == content
        file.write({})
    assert (tmp_path / f"{FILE_NAME}.corrupt-2").read_bytes() == content


def test_a_newer_drivers_file_is_no_lost_one(tmp_path: Path) -> None:
    """Nothing is made out anew over what a newer driver knows."""
    (tmp_path / FILE_NAME).write_text('{"version": 2}')
    with pytest.raises(StateError, match="a newer driver wrote it; run that one, or drain the node") as raised:
        _read(tmp_path)
    assert not isinstance(raised.value, StateLost)


def test_a_folder_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    """Without a restart of the driver; that the state is lost, the claims' CDI files tell."""
    with StateFile(str(tmp_path / "dra")).locked() as file:
        file.write({})
    assert sorted(os.listdir(tmp_path / "dra")) == sorted([FILE_NAME, LOCK_NAME])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """With what stands in its place."""
    (tmp_path / "dra").write_text("")
    path = tmp_path / "dra" / LOCK_NAME
    with (
        pytest.raises(StateError, match=rf"^{path}: Not a directory: without the lock"),
        StateFile(str(tmp_path / "dra")).locked(),
    ):
        pass


def test_a_read_only_disk_keeps_nobody_from_what_is_prepared(tmp_path: Path) -> None:
    """A kubelet that restarts asks again for its running pods, and pods that were never prepared have to end."""
    with StateFile(str(tmp_path)).locked() as file:
        file.write({})
    read = (
        "import sys\n"
        "from furiosa_npu.dra_driver.state_file import StateFile\n"
        "with StateFile(sys.argv[1]).locked() as file:\n"
        "    print(dict(file.read()))\n"
    )
    mounts = f'mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path} && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", mounts, "sh", sys.executable, "-I", "-c", read, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr, told.returncode) == ("{}\n", "", 0)


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
