"""furiosactl on the host, for containers to mount."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.host_tools import HostTools, HostToolsError, install

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What the image has."""
    file = tmp_path / "furiosactl"
    file.write_bytes(CONTENT)
    return file


def _tools(source: Path, folder: Path, lines: list[str]) -> HostTools:
    return HostTools(str(source), str(folder), Conditions(Log(write=lines.append)))


def test_the_folder_is_made_and_the_file_is_executable(source: Path, tmp_path: Path) -> None:
    """A fresh host has neither."""
    target = tmp_path / "a/b/furiosactl"
    assert _tools(source, target.parent, []).furiosactl() == str(target)
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (CONTENT, 0o755)
    assert os.listdir(target.parent) == ["furiosactl"]


def test_what_is_there_stays_and_what_differs_is_replaced_not_written_into(source: Path, tmp_path: Path) -> None:
    """A container may run the old one: its inode is left alone."""
    folder = tmp_path / "bin"
    install(str(source), str(folder))
    first = (folder / "furiosactl").stat().st_ino
    install(str(source), str(folder))
    assert (folder / "furiosactl").stat().st_ino == first
    with (folder / "furiosactl").open("rb") as running:
        source.write_bytes(CONTENT[::-1])
        install(str(source), str(folder))
        assert running.read() == CONTENT
    assert (folder / "furiosactl").read_bytes() == CONTENT[::-1]


def test_what_an_agent_that_was_killed_had_begun_to_copy_is_removed(source: Path, tmp_path: Path) -> None:
    """At the next one's start, also where furiosactl itself is there: it would be 9 MB of the host's disk."""
    folder = tmp_path / "bin"
    install(str(source), str(folder))
    (folder / ".furiosactl.0a1b2c3d.new").write_bytes(CONTENT[:1000])
    install(str(source), str(folder))
    assert os.listdir(folder) == ["furiosactl"]


def test_two_agents_that_copy_at_once_do_not_write_into_one_file(source: Path, tmp_path: Path) -> None:
    """In its container each is process 1 or so: the other's file, half written, would be the one that is put there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    others = folder / f"furiosactl.{os.getpid()}.new"
    with others.open("wb") as file:
        file.write(b"half")
        file.flush()
        install(str(source), str(folder))
        file.write(b" and half")
    assert (folder / "furiosactl").read_bytes() == CONTENT


def test_a_file_that_goes_is_put_there_again(source: Path, tmp_path: Path) -> None:
    """Else no container with an NPU could start."""
    tools = _tools(source, tmp_path / "bin", [])
    path = tools.furiosactl()
    assert path is not None
    os.unlink(path)
    assert tools.furiosactl() == path
    assert Path(path).read_bytes() == CONTENT


def test_an_image_without_one_is_said_once_and_served_without(tmp_path: Path) -> None:
    """Installed by pip there is none."""
    lines: list[str] = []
    tools = _tools(tmp_path / "none", tmp_path / "bin", lines)
    assert [tools.furiosactl(), tools.furiosactl()] == [None, None]
    assert len(lines) == 1
    assert f"containers get no furiosactl: {tmp_path}/none: No such file or directory" in lines[0]


def test_a_folder_that_cannot_be_written_is_named(source: Path, tmp_path: Path) -> None:
    """A file in the folder's place."""
    (tmp_path / "bin").write_text("")
    with pytest.raises(HostToolsError, match=f"{tmp_path}/bin: File exists"):
        install(str(source), str(tmp_path / "bin"))


def test_a_folder_mounted_noexec_is_an_error_that_names_it(source: Path, tmp_path: Path) -> None:
    """In a mount namespace of its own; a user namespace, which a chroot forbids, is only for who is not root."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = (
        "import sys\n"
        "from furiosa_npu.watch.host_tools import HostToolsError, install\n"
        "try: install(sys.argv[1], sys.argv[2])\n"
        "except HostToolsError as error: print(error)\n"
    )
    mount = f"mount -t tmpfs -o noexec none {folder}"
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", *as_root, "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    command += [sys.executable, "-c", program, str(source), str(folder)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said == f"{folder}: found a file system mounted noexec, expected one that programs run from\n"


def test_putting_it_there_keeps_no_memory(tmp_path: Path) -> None:
    """Twenty times a file of 9 MB: the process's peak grows by less than one of them."""
    program = (
        "import resource, sys\n"
        "from furiosa_npu.watch.host_tools import install\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "for _ in range(20): install(sys.argv[1], sys.argv[2])\n"
        "print(peak() - before)\n"
    )
    source = tmp_path / "big"
    source.write_bytes(bytes(9_000_000))
    command = [sys.executable, "-c", program, str(source), str(tmp_path / "bin")]
    grown_kib = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown_kib < 4096
