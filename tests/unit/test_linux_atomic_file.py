"""A file replaced in one step: by several writers at once, and beside what writers that died left."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from furiosa_npu.linux.atomic_file import begun, remove_begun, replacing

NAME = "health.json"


def _write(path: str, content: bytes) -> None:
    with replacing(path, 0o640) as file:
        file.write(content)


def test_the_file_is_there_whole_with_its_mode_and_nothing_beside(tmp_path: Path) -> None:
    """Whatever the process' mask."""
    path = tmp_path / NAME
    old_mask = os.umask(0o077)
    try:
        _write(str(path), b"first")
        _write(str(path), b"second")
    finally:
        os.umask(old_mask)
    assert (path.read_bytes(), path.stat().st_mode & 0o7777, os.listdir(tmp_path)) == (b"second", 0o640, [NAME])


def test_a_writer_that_fails_leaves_the_file_as_it_was_and_nothing_beside(tmp_path: Path) -> None:
    """Its own error is told on."""
    path = tmp_path / NAME
    _write(str(path), b"old")
    with pytest.raises(TypeError):
        _write(str(path), cast(Any, "no bytes"))
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", [NAME])


def test_what_a_writer_that_was_killed_had_begun_is_removed(tmp_path: Path) -> None:
    """Of this file alone."""
    path = tmp_path / NAME
    program = (
        "import os, signal, sys\n"
        "from furiosa_npu.linux.atomic_file import replacing\n"
        "with replacing(sys.argv[1], 0o644) as file:\n"
        "    file.write(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == -signal.SIGKILL
    (left,) = os.listdir(tmp_path)
    assert begun(left) == NAME
    remove_begun(str(tmp_path / "another.json"))
    assert os.listdir(tmp_path) == [left]
    remove_begun(str(path))
    assert os.listdir(tmp_path) == []


def test_what_another_instance_writes_at_this_moment_stays(tmp_path: Path) -> None:
    """During a rolling update one starts while the other runs."""
    path = tmp_path / NAME
    with replacing(str(path), 0o644) as file:
        file.write(b"whole")
        remove_begun(str(path))
    assert path.read_bytes() == b"whole"


def test_no_write_fails_for_those_who_look_for_what_the_dead_left(tmp_path: Path) -> None:
    """A writer that has begun and not locked its file yet is taken for dead by them: it begins anew."""
    path, over = str(tmp_path / NAME), threading.Event()

    def look() -> None:
        while not over.is_set():
            remove_begun(path)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for number in range(300):
            _write(path, b"%d" % number)
    finally:
        over.set()
        looker.join()
    assert (Path(path).read_bytes(), os.listdir(tmp_path)) == (b"299", [NAME])


def test_where_there_is_no_folder_nothing_was_left(tmp_path: Path) -> None:
    """An agent that starts on a fresh host."""
    remove_begun(f"{tmp_path}/none/{NAME}")


@pytest.mark.parametrize("name", [NAME, f"{NAME}.new", ".new", f".{NAME}.new", f".{NAME}.xyz.new", f".{NAME}.0a1b2c3d"])
def test_other_names_are_no_files_of_ours(name: str) -> None:
    """A point, the file's name, hexadecimal digits, `.new`."""
    assert begun(name) is None
    assert begun(f".{NAME}.0a1b2c3d.new") == NAME
