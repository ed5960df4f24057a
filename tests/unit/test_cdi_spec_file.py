"""The specification's file on a disk: replaced in one step, and errors that say whose fault it is."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from furiosa_npu.cdi import spec_file
from furiosa_npu.cdi.spec_file import SpecFileError
from furiosa_npu.linux.atomic_file import begun
from furiosa_npu.linux.inotify import IN_CREATE, IN_MOVED_TO, Inotify

NAME = "furiosa.ai-npu.json"


def test_a_file_is_written_read_back_and_removed(tmp_path: Path) -> None:
    """Its folder is made, all may read it, nothing lies beside it; to remove what is not there is no error."""
    path = f"{tmp_path}/run/cdi/{NAME}"
    assert spec_file.read(path) is None
    assert spec_file.identity(path) is None
    old_mask = os.umask(0o077)
    try:
        spec_file.write(path, "first\n")
        spec_file.write(path, "é second\n")
    finally:
        os.umask(old_mask)
    assert spec_file.read(path) == "é second\n"
    assert os.stat(path).st_mode & 0o7777 == 0o644
    assert os.listdir(tmp_path / "run/cdi") == [NAME]
    spec_file.remove(path)
    spec_file.remove(path)
    assert os.listdir(tmp_path / "run/cdi") == []


def test_whoever_has_the_old_file_open_keeps_it(tmp_path: Path) -> None:
    """A runtime that reads meanwhile sees the old text whole or the new one: the file is another one, not changed."""
    path = f"{tmp_path}/{NAME}"
    spec_file.write(path, "old")
    before = spec_file.identity(path)
    with open(path, encoding="utf-8") as file:
        spec_file.write(path, "new")
        assert file.read() == "old"
    assert spec_file.read(path) == "new"
    assert spec_file.identity(path) not in (None, before)


def test_what_is_written_beside_has_a_name_that_no_runtime_reads(tmp_path: Path) -> None:
    """Runtimes read `.json` and `.yaml`: of such names, only the file's own ever appears, and whole."""
    events = Inotify()
    events.add_watch(str(tmp_path), IN_CREATE | IN_MOVED_TO)
    spec_file.write(f"{tmp_path}/{NAME}", "x")
    seen = [(event.mask, event.name) for event in events.read()]
    events.close()
    ((_, beside),) = (event for event in seen if event[0] == IN_CREATE)
    assert not beside.endswith((".json", ".yaml"))
    assert begun(beside) == NAME
    assert [event for event in seen if event[0] == IN_MOVED_TO] == [(IN_MOVED_TO, NAME)]


def _on_a_small_file_system(folder: Path, program: str) -> str:
    """What the program prints that runs where `folder` has room for a page, in a mount namespace of its own."""
    prelude = (
        "import os, subprocess, sys\n"
        "from furiosa_npu.cdi import spec_file\n"
        "path = sys.argv[1]\n"
        "spec_file.write(path, 'old')\n"
        "def tell(what):\n"
        "    try: what()\n"
        "    except spec_file.SpecFileError as error: print(error)\n"
    )
    ending = "print(spec_file.read(path), os.listdir(os.path.dirname(path)))\n"
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    mount = f"mount -t tmpfs -o size=4k,nr_inodes=4 none {folder}"
    command = ["unshare", *as_root, "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    command += [sys.executable, "-c", prelude + program + ending, f"{folder}/{NAME}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_full_file_system_leaves_the_old_file_and_nothing_beside(tmp_path: Path) -> None:
    """The error says so; where nothing fits, nothing is half there."""
    told = _on_a_small_file_system(tmp_path, "tell(lambda: spec_file.write(path, 'x' * 8192))\n")
    assert told.splitlines() == [
        f"{tmp_path}/{NAME}: cannot be written: No space left on device: its file system is full",
        f"old ['{NAME}']",
    ]


def test_a_read_only_file_system_is_named_as_such(tmp_path: Path) -> None:
    """Neither written nor removed; what is not there is removed all the same, or who never had it could not end."""
    told = _on_a_small_file_system(
        tmp_path,
        "subprocess.run(['mount', '-o', 'remount,ro', os.path.dirname(path)], check=True)\n"
        "tell(lambda: spec_file.write(path, 'new'))\n"
        "tell(lambda: spec_file.remove(path))\n"
        "spec_file.remove(path + 'none')\n",
    )
    fault = "Read-only file system: the folder is read-only here: a container needs it mounted writable"
    assert told.splitlines() == [
        f"{tmp_path}/{NAME}: cannot be written: {fault}",
        f"{tmp_path}/{NAME}: cannot be removed: {fault}",
        f"old ['{NAME}']",
    ]


def test_what_cannot_be_looked_for_is_not_said_to_be_gone(tmp_path: Path) -> None:
    """A folder that nobody can see into may have the file."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SpecFileError, match="cannot be removed: Too many levels of symbolic links"):
        spec_file.remove(f"{tmp_path}/loop/{NAME}")


def test_a_write_that_is_cut_off_leaves_the_old_file(tmp_path: Path) -> None:
    """A limit of file sizes is an error as any other (EFBIG), told with the system's words."""
    path = f"{tmp_path}/{NAME}"
    spec_file.write(path, "old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        with pytest.raises(SpecFileError) as caught:
            spec_file.write(path, "x" * 8192)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert str(caught.value) == f"{path}: cannot be written: File too large"
    assert os.listdir(tmp_path) == [NAME]
    assert spec_file.read(path) == "old"


def test_a_folder_in_a_files_place_and_a_file_in_a_folders_are_named(tmp_path: Path) -> None:
    """Path and the system's words, for reading and writing."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(SpecFileError, match="cannot be read: Not a directory: a part of the path is no folder"):
        spec_file.read(f"{tmp_path}/file/{NAME}")
    in_its_place = "cannot be written: File exists: where its folder should be is something else$"
    with pytest.raises(SpecFileError, match=f"^{tmp_path}/file/{NAME}: {in_its_place}"):
        spec_file.write(f"{tmp_path}/file/{NAME}", "x")
    with pytest.raises(SpecFileError, match="cannot be read: Is a directory"):
        spec_file.read(str(tmp_path))
