"""The sysfs root through a mount: the same files, and system calls that fail or hang by command."""

import contextlib
import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.simulator import Simulation
from furiosa_npu.simulator.__main__ import main
from tests.fuse.conftest import RENEGADE, WARBOY, Mount, mounted

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
MANAGEMENT = "class/npu_mgmt/npu0_mgmt"
READ = ("0", "63")
"""read's number on x86-64 and on arm64"""
SOON = 30.0
"""seconds after which something hangs, however slow the machine"""


class Reader(threading.Thread):
    """Reads a file in a thread of its own, since the read may hang."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path = path
        self.got: str | int | None = None
        """the text, or the errno"""
        self.start()

    def run(self) -> None:
        try:
            self.got = self._path.read_text()
        except OSError as error:
            self.got = error.errno

    def hang(self) -> "Reader":
        """Itself, once it waits for the file."""
        _wait_for(lambda: _reads(f"/proc/self/task/{self.native_id}", self._path))
        return self

    def result(self) -> str | int | None:
        self.join(SOON)
        assert not self.is_alive(), f"{self._path}: a read hangs"
        return self.got


def _wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline, f"did not hold within {SOON} s"
        time.sleep(0.02)


def _reads(task: str, file: Path) -> bool:
    """Whether the thread or process of this folder of /proc waits in read(2) of this file."""
    number, _, arguments = Path(task, "syscall").read_text().partition(" ")
    if number not in READ:
        return False
    descriptor = int(arguments.split()[0], 16)
    with contextlib.suppress(FileNotFoundError):
        return os.readlink(f"{task}/fd/{descriptor}") == os.path.realpath(file)
    return False


def _tree(root: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            text = path.read_text() if path.is_file() and not path.is_symlink() else None
            link = os.readlink(path) if path.is_symlink() else None
            found[str(path.relative_to(root))] = (path.lstat().st_mode, link, text)
    return found


def test_the_mount_holds_the_same_tree(simulation: Simulation, sysfs: Mount) -> None:
    """Names, kinds, modes, links and texts; and an agent's reading of it is the same."""
    simulation.occupy(WARBOY)
    simulation.advance(3)
    assert _tree(sysfs.place) == _tree(Path(simulation.roots.sysfs))
    assert read_cards(sysfs.roots(simulation)) == read_cards(simulation.roots)


def test_what_commands_change_shows_at_once(simulation: Simulation, sysfs: Mount) -> None:
    """No call is answered from what the kernel kept: of the same file, of one that goes, of one that comes."""
    file = sysfs.place / MANAGEMENT / "heartbeat"
    seen = [file.read_text()]
    simulation.advance(12345)
    seen.append(file.read_text())
    simulation.fail(WARBOY, "malformed")
    seen.append(file.read_text())
    simulation.fail(WARBOY, "no-management")
    assert (seen, file.exists()) == (["0\n", "12345\n", "\x7f?rubbish=\n"], False)
    simulation.recover(WARBOY)
    assert file.read_text() == "12345\n"


@pytest.mark.parametrize("name", ["EACCES", "EIO", "ENODEV"])
@pytest.mark.parametrize(("npu", "management"), [(WARBOY, MANAGEMENT), (RENEGADE, "class/rngd_mgmt/rngd!npu0mgmt")])
def test_reading_a_file_fails_as_told_until_it_recovers(
    simulation: Simulation, sysfs: Mount, name: str, npu: str, management: str
) -> None:
    """Of this file alone; the tree on the disk reads as ever."""
    path = sysfs.place / management / "heartbeat"
    simulation.fail(npu, f"syscall=heartbeat:{name}")
    with pytest.raises(OSError, match="Errno") as caught:
        path.read_text()
    assert caught.value.errno == getattr(errno, name)
    assert (path.parent / "busname").read_text() == f"{npu}\n"
    problems = [problem for reading in read_cards(sysfs.roots(simulation)) for problem in reading.problems]
    assert [(problem.path, problem.found.partition(" ")[0]) for problem in problems] == [(str(path), name)]
    assert [reading.problems for reading in read_cards(simulation.roots)] == [(), ()]
    simulation.recover(npu)
    assert path.read_text() == "0\n"


def test_perf_regs_of_all_pes_fail_together(simulation: Simulation, sysfs: Mount) -> None:
    """EACCES is the driver's word for a PE that is unused, though it is in use."""
    simulation.occupy(WARBOY, ["0", "1"])
    simulation.fail(WARBOY, "syscall=perf_regs:EACCES")
    of_the_mount = read_cards(sysfs.roots(simulation))[0]
    assert len(read_cards(simulation.roots)[0].perf_regs) == 3
    assert (of_the_mount.perf_regs, of_the_mount.problems) == ((), ())
    assert of_the_mount.problems == ()
    # the fused file is closed, to all but root, who reads it
    assert [regs.mode_allows_reading for regs in read_cards(simulation.roots)[0].perf_regs] == [True, True, False]


def test_a_read_hangs_until_it_recovers_and_then_tells_what_is(simulation: Simulation, sysfs: Mount) -> None:
    """Other files, of this card and of others, are read meanwhile."""
    simulation.fail(WARBOY, "hang=heartbeat")
    reader = Reader(sysfs.place / MANAGEMENT / "heartbeat").hang()
    other = Reader(sysfs.place / MANAGEMENT / "alive")
    assert other.result() == "1\n"
    simulation.advance(77)
    assert reader.is_alive()
    simulation.recover(WARBOY, "hang")
    assert reader.result() == "77\n"


def test_many_hung_readers_leave_room_for_the_next(simulation: Simulation, sysfs: Mount) -> None:
    """More than the ten threads that libfuse has by default."""
    simulation.fail(WARBOY, "hang=heartbeat")
    readers = [Reader(sysfs.place / MANAGEMENT / "heartbeat").hang() for _ in range(40)]
    assert Reader(sysfs.place / MANAGEMENT / "alive").result() == "1\n"
    simulation.recover(WARBOY)
    assert {reader.result() for reader in readers} == {"0\n"}


def test_a_file_that_hangs_and_fails_fails_once_it_hangs_no_more(simulation: Simulation, sysfs: Mount) -> None:
    """Two faults of one file, one after the other."""
    simulation.fail(WARBOY, "syscall=heartbeat:EIO")
    simulation.fail(WARBOY, "hang=heartbeat")
    reader = Reader(sysfs.place / MANAGEMENT / "heartbeat").hang()
    simulation.recover(WARBOY, "hang")
    assert reader.result() == errno.EIO


def test_a_hung_reader_can_be_killed(simulation: Simulation, sysfs: Mount) -> None:
    """A test that is over takes its readers with it."""
    simulation.fail(WARBOY, "hang=heartbeat")
    with subprocess.Popen(["cat", sysfs.place / MANAGEMENT / "heartbeat"], stdout=subprocess.PIPE) as cat:
        _wait_for(lambda: _reads(f"/proc/{cat.pid}", sysfs.place / MANAGEMENT / "heartbeat"))
        cat.kill()
        assert cat.wait(SOON) == -signal.SIGKILL


def test_sigterm_unmounts_and_frees_who_hangs(simulation: Simulation, sysfs: Mount) -> None:
    """Exit code 0, an empty folder, EIO for the reader."""
    simulation.fail(WARBOY, "hang=heartbeat")
    reader = Reader(sysfs.place / MANAGEMENT / "heartbeat").hang()
    sysfs.process.send_signal(signal.SIGTERM)
    assert sysfs.process.wait(SOON) == 0
    assert (os.listdir(sysfs.place), reader.result()) == ([], errno.EIO)


def test_sigterm_ends_a_mount_of_which_a_file_is_open(simulation: Simulation, sysfs: Mount) -> None:
    """Who has it open gets an error from then on, as of a device that is gone."""
    descriptor = os.open(sysfs.place / MANAGEMENT / "heartbeat", os.O_RDONLY)
    sysfs.process.send_signal(signal.SIGTERM)
    assert sysfs.process.wait(SOON) == 0
    for call in (lambda: os.read(descriptor, 10), lambda: os.close(descriptor)):
        with pytest.raises(OSError, match="Transport endpoint is not connected"):
            call()
    assert os.listdir(sysfs.place) == []


def test_a_mount_that_is_taken_away_ends_its_process(sysfs: Mount) -> None:
    """By anybody's fusermount3 or umount."""
    subprocess.run(["fusermount3", "-u", sysfs.place], check=True)
    assert sysfs.process.wait(SOON) == 0


def test_a_killed_mount_frees_who_hangs(simulation: Simulation, sysfs: Mount) -> None:
    """The kernel answers for it; the folder says ENOTCONN until `fusermount3 -uz` takes it away."""
    simulation.fail(WARBOY, "hang=heartbeat")
    reader = Reader(sysfs.place / MANAGEMENT / "heartbeat").hang()
    sysfs.process.kill()
    assert reader.result() in (errno.ECONNABORTED, errno.ENOTCONN)
    with pytest.raises(OSError, match="Transport endpoint is not connected"):
        os.listdir(sysfs.place)
    subprocess.run(["fusermount3", "-u", "-z", sysfs.place], check=True)
    assert os.listdir(sysfs.place) == []


def test_other_users_see_a_mount_that_is_for_them(simulation: Simulation) -> None:
    """With --allow-other, as far as the modes let them; without, nobody but who mounted it."""
    simulation.fail(WARBOY, "unreadable")
    for options, codes in ((("--allow-other",), [0, 1]), ((), [1, 1])):
        with mounted(simulation, *options) as mount:
            files = [mount.place / MANAGEMENT / name for name in ("alive", "heartbeat")]
            done = [subprocess.run([*NOBODY, "cat", file], capture_output=True, check=False) for file in files]
        assert [each.returncode for each in done] == codes
        mount.place.rmdir()


def test_fail_says_where_a_fault_of_system_calls_shows(
    simulation: Simulation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through a mount alone, where there is none."""
    words = ["fail", simulation.folder, WARBOY, "hang=alive"]
    assert main(words) == 0
    assert capsys.readouterr().out.endswith(": fault hang=alive (shows through a mount of DIR/sys alone)\n")
    with mounted(simulation):
        assert main(words) == 0
    assert capsys.readouterr().out.endswith(": fault hang=alive\n")


@pytest.mark.parametrize(
    ("mountpoint", "code", "message"),
    [
        ("{sim}/sys/class", 2, "is within {sim}/sys, or holds it"),
        ("{sim}", 2, "is within {sim}/dev, or holds it"),
        ("/sys/fs", 2, "is within /sys, or holds it"),
        ("{sim}/../nowhere", 1, "No such file or directory"),
        ("{sim}/state.json", 1, "Not a directory"),
    ],
)
def test_a_place_that_cannot_be_is_refused(
    simulation: Simulation, capsys: pytest.CaptureFixture[str], mountpoint: str, code: int, message: str
) -> None:
    """Neither the simulation's own folders nor the machine's, nor what is no folder."""
    assert main(["mount", simulation.folder, mountpoint.format(sim=simulation.folder)]) == code
    assert message.format(sim=simulation.folder) in capsys.readouterr().err
