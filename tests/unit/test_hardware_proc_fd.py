"""Who has a card open: by device number through the link, by path for plain files; and what an open itself tells."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from furiosa_npu.hardware import open_probe
from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.open_watch import OpenWatch
from furiosa_npu.hardware.proc_fd import DeviceUser, find_users, sees_other_processes, users_of
from furiosa_npu.hardware.reading import CardUser, DeviceFile
from furiosa_npu.linux.inotify import Inotify
from furiosa_npu.simulator import Simulation, parse_scenario
from tests.unit.readings import warboy

HOLD = "import sys; file = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    """Two Warboys in plain files."""
    return Simulation.create(
        str(tmp_path), parse_scenario("cards: [{family: warboy}, {family: warboy}]"), plain_files=True
    )


@pytest.fixture
def holder(simulation: Simulation) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has a PE of npu1 open."""
    path = f"{simulation.roots.devfs}/npu1pe0"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_process_that_has_a_card_open_is_named(simulation: Simulation, holder: subprocess.Popen[bytes]) -> None:
    """With PID and command; it holds this card and not the other."""
    devfs = simulation.roots.devfs
    users = [user for user in find_users("/proc", devfs, os.getpid(), set()) if user.path.startswith(devfs)]
    command = Path(f"/proc/{holder.pid}/comm").read_text().strip()
    assert users == [DeviceUser(holder.pid, command, None, f"{devfs}/npu1pe0")]
    npu0, npu1 = read_cards(simulation.roots)
    assert users_of(npu0, users, devfs) == ()
    assert users_of(npu1, users, devfs) == (CardUser(f"process {holder.pid} ({command})", (0,)),)


def test_a_descriptor_that_closes_meanwhile_hides_no_other(tmp_path: Path) -> None:
    """Its link cannot be read, or leads nowhere any more: the look goes on with the process's next one."""
    devfs = tmp_path / "dev"
    files = tmp_path / "7" / "fd"
    for folder in (devfs, files):
        folder.mkdir(parents=True)
    (devfs / "npu0pe0").touch()
    for number in range(0, 60, 3):
        (files / str(number)).touch()
        (files / str(number + 1)).symlink_to(devfs / "npu9pe0")
        (files / str(number + 2)).symlink_to(devfs / "npu0pe0")
    users = find_users(str(tmp_path), str(devfs), 1, set())
    assert users == (DeviceUser(7, "ended meanwhile", None, f"{devfs}/npu0pe0"),) * 20


def test_processes_without_files_are_not_looked_at_again(tmp_path: Path) -> None:
    """They are noted while they live: the kernel's own threads are half of all."""
    for pid in ("2", "3"):
        (tmp_path / pid / "fd").mkdir(parents=True)
    (tmp_path / "3" / "fd" / "0").symlink_to("/dev/null")
    without_files = {"7"}
    assert find_users(str(tmp_path), "/dev", 1, without_files) == ()
    assert without_files == {"2"}
    (tmp_path / "2" / "fd" / "0").symlink_to("/dev/npu0")
    assert find_users(str(tmp_path), "/dev", 1, without_files) == ()


def test_we_ourselves_are_no_user(simulation: Simulation) -> None:
    """The active probe opens files too."""
    with open(f"{simulation.roots.devfs}/npu0pe0", encoding="utf-8"):
        assert not any(
            user.pid == os.getpid() for user in find_users("/proc", simulation.roots.devfs, os.getpid(), set())
        )


def test_a_device_is_known_by_its_number_whatever_it_is_called() -> None:
    """In a container the file is another one, perhaps of another name; npu0pe0 there may be npu3pe0 here."""
    card = warboy(0)
    pe0 = next(file for file in card.device_files if file.name == "npu0pe0")
    assert users_of(card, [DeviceUser(7, "worker", pe0.device_number, "/dev/npu3pe0")], "/dev") == (
        CardUser("process 7 (worker)", (0,)),
    )
    assert users_of(card, [DeviceUser(7, "worker", (999, 0), "/dev/npu0pe0")], "/dev") == ()


def test_a_device_file_may_lie_anywhere(tmp_path: Path) -> None:
    """A node made by hand, or a container's own /dev: the device number alone counts. A plain file elsewhere is none.

    /dev/null stands for an NPU.
    """
    files = tmp_path / "7" / "fd"
    files.mkdir(parents=True)
    (tmp_path / "my-npu").symlink_to("/dev/null")
    (tmp_path / "npu0pe0").touch()
    (files / "0").symlink_to(tmp_path / "my-npu")
    (files / "1").symlink_to(tmp_path / "npu0pe0")
    assert find_users(str(tmp_path), f"{tmp_path}/dev", 1, set()) == (
        DeviceUser(7, "ended meanwhile", (1, 3), f"{tmp_path}/my-npu"),
    )


def test_a_card_open_under_another_name_has_its_user(tmp_path: Path) -> None:
    """A container may have it as /dev/accel0 (`docker run --device /dev/npu0:/dev/accel0`): the number tells.

    /dev/full stands for it. What everybody has open is not looked at, and a plain file of any name is none.
    """
    files = tmp_path / "7" / "fd"
    files.mkdir(parents=True)
    (tmp_path / "7" / "comm").write_text("serve\n")
    for descriptor, path in enumerate(("/dev/null", "/dev/full", "/dev/shm/full", "socket:[7]", "/etc/hostname")):
        (files / str(descriptor)).symlink_to(path)
    users = find_users(str(tmp_path), "/dev", 1, set())
    assert users == (DeviceUser(7, "serve", (1, 7), "/dev/full"),)
    card = warboy()._replace(device_files=(DeviceFile("npu0", "card", None, None, (1, 7)),))
    assert users_of(card, users, "/dev") == (CardUser("process 7 (serve)", None),)


def test_a_process_is_named_once_with_the_pes_of_all_its_files() -> None:
    """A single PE, and a group; who has Warboy's npu0 open has all of the card."""
    card = warboy(0)
    number = {file.name: file.device_number for file in card.compute_files}
    users = [DeviceUser(7, "worker", number[name], f"/dev/{name}") for name in ("npu0pe1", "npu0pe0-1")]
    other = DeviceUser(8, "other", number["npu0pe1"], "/dev/npu0pe1")
    whole = DeviceUser(9, "whole", number["npu0"], "/dev/npu0")
    assert users_of(card, [*users, other, whole], "/dev") == (
        CardUser("process 7 (worker)", (0, 1)),
        CardUser("process 8 (other)", (1,)),
        CardUser("process 9 (whole)", None),
    )


def test_an_open_management_file_is_no_use() -> None:
    """Tools that watch cards have it open all day."""
    card = warboy(0)
    management = next(file for file in card.device_files if file.kind == "management")
    assert users_of(card, [DeviceUser(7, "watcher", management.device_number, "/dev/npu0_mgmt")], "/dev") == ()


def test_process_1_sees_itself_alone(tmp_path: Path) -> None:
    """A container's first process, or a /proc with nobody else's files."""
    assert not sees_other_processes("/proc", 1)
    (tmp_path / "7" / "fd").mkdir(parents=True)
    assert not sees_other_processes(str(tmp_path), 7)
    assert not sees_other_processes(str(tmp_path), 8)
    (tmp_path / "7" / "fd" / "0").symlink_to("/dev/null")
    assert sees_other_processes(str(tmp_path), 8)


@pytest.mark.parametrize(
    ("number", "busy"),
    [
        (errno.EBUSY, ("npu0", "npu0pe0", "npu0pe1", "npu0pe0-1")),
        (errno.EPERM, None),
        (errno.ENXIO, None),
        (errno.EACCES, None),
    ],
)
def test_a_refused_open_says_in_use_or_nothing(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch, number: int, busy: tuple[str, ...] | None
) -> None:
    """EPERM is the device cgroup's word and ENXIO a number's without a driver: not probed, neither failed nor idle."""
    card = read_cards(simulation.roots)[0]

    def refuse(path: str, _flags: int) -> int:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "open", refuse)
    assert open_probe.busy_files(simulation.roots, card) == busy


def test_what_can_be_opened_is_free(simulation: Simulation) -> None:
    """And closed again at once."""
    before = len(os.listdir("/proc/self/fd"))
    assert open_probe.busy_files(simulation.roots, read_cards(simulation.roots)[0]) == ()
    assert len(os.listdir("/proc/self/fd")) == before


def test_opening_and_closing_a_device_file_is_an_event(simulation: Simulation) -> None:
    """Reading its status is none; a file that went and came back is watched again."""
    path = f"{simulation.roots.devfs}/npu0pe0"
    watch = OpenWatch()
    watch.renew([path, f"{simulation.roots.devfs}/npu9"])
    os.stat(path)
    assert not watch.drain()
    with open(path, encoding="utf-8"):
        assert watch.drain()
    assert watch.drain()
    os.unlink(path)
    watch.drain()
    Path(path).touch()
    watch.renew([path])
    with open(path, encoding="utf-8"):
        assert watch.drain()


def test_a_watch_that_is_not_granted_is_noted_and_holds_up_no_other(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EPERM, as in a container whose device cgroup forbids reading the device."""
    forbidden, open_to_us = (f"{simulation.roots.devfs}/npu0{name}" for name in ("", "pe0"))
    granted = Inotify.add_watch

    def add_watch(self: Inotify, path: str, mask: int) -> int:
        if path == forbidden:
            raise PermissionError(errno.EPERM, "Operation not permitted", path)
        return granted(self, path, mask)

    monkeypatch.setattr(Inotify, "add_watch", add_watch)
    watch = OpenWatch()
    watch.renew([forbidden, open_to_us])
    assert watch.refused
    with open(open_to_us, encoding="utf-8"):
        assert watch.drain()
