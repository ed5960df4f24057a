"""Who has a card open: by device number through the link, by path for plain files; and what an open itself tells."""

import errno
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from furiosa_npu.hardware import open_probe
from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.open_watch import OpenWatch
from furiosa_npu.hardware.proc_fd import DeviceUser, Look, cpu_nanoseconds, find_users, sees_other_processes, users_of
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
    users = [user for user in find_users("/proc", devfs, os.getpid(), {}) if user.path.startswith(devfs)]
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
    users = find_users(str(tmp_path), str(devfs), 1, {})
    assert users == (DeviceUser(7, "ended meanwhile", None, f"{devfs}/npu0pe0"),) * 20


def test_the_kernels_own_threads_are_not_looked_at_again(tmp_path: Path) -> None:
    """They are noted while they live, half of all; a process that has no file open may open one."""
    flags = {"2": 2129984, "3": 4194560, "4": 4194560}  # of kthreadd, and of two shells
    for pid, number in flags.items():
        (tmp_path / pid / "fd").mkdir(parents=True)
        (tmp_path / pid / "stat").write_text(f"{pid} (a) b) S 0 0 0 0 -1 {number} 0 0\n")
    (tmp_path / "3" / "fd" / "0").symlink_to("/dev/null")
    looks = {"7": Look(70, (), kernel=True)}
    assert find_users(str(tmp_path), "/dev", 1, looks, lambda pid: pid * 10) == ()
    assert looks == {
        "2": Look(20, (), kernel=True),
        "3": Look(30, (), kernel=False),
        "4": Look(40, (), kernel=False),
    }


def test_a_process_that_has_not_run_has_opened_and_closed_nothing(tmp_path: Path) -> None:
    """Its user is told as it was; one that ran, or of which that cannot be told, is looked at."""
    for pid in ("2", "3", "4"):
        (tmp_path / pid / "fd").mkdir(parents=True)
        (tmp_path / pid / "comm").write_text("serve\n")
        (tmp_path / pid / "fd" / "0").symlink_to("/dev/full")
    ran: dict[int, int | None] = {2: 20, 3: 30, 4: None}
    looks: dict[str, Look] = {}
    before = find_users(str(tmp_path), "/dev", 1, looks, ran.get)
    assert before == tuple(DeviceUser(pid, "serve", (1, 7), "/dev/full") for pid in (2, 3, 4))
    for pid in ("2", "3", "4"):
        os.unlink(tmp_path / pid / "fd" / "0")
    ran[3] = 31
    assert find_users(str(tmp_path), "/dev", 1, looks, ran.get) == before[:1]


def test_the_kernel_tells_whether_a_process_has_run(holder: subprocess.Popen[bytes]) -> None:
    """One that waits does not; one that got something to read has, and of one that is none nobody knows."""
    before, ran = None, cpu_nanoseconds(holder.pid)
    while before != ran:  # until it waits
        before, ran = ran, cpu_nanoseconds(holder.pid)
    assert ran is not None
    assert holder.stdin is not None
    holder.stdin.write(b"line\n")
    holder.stdin.close()
    holder.stdin = None
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    after = cpu_nanoseconds(holder.pid)
    assert after is not None
    assert after > ran
    holder.wait()
    assert cpu_nanoseconds(holder.pid) is None


def test_we_ourselves_are_no_user(simulation: Simulation) -> None:
    """The active probe opens files too."""
    with open(f"{simulation.roots.devfs}/npu0pe0", encoding="utf-8"):
        assert not any(user.pid == os.getpid() for user in find_users("/proc", simulation.roots.devfs, os.getpid(), {}))


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
    assert find_users(str(tmp_path), f"{tmp_path}/dev", 1, {}) == (
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
    users = find_users(str(tmp_path), "/dev", 1, {})
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
    assert open_probe.busy_files(Files(), simulation.roots, card) == busy


def test_what_can_be_opened_is_free(simulation: Simulation) -> None:
    """And closed again at once."""
    gc.collect()  # what was forgotten gives no descriptor back later
    before = len(os.listdir("/proc/self/fd"))
    assert open_probe.busy_files(Files(), simulation.roots, read_cards(simulation.roots)[0]) == ()
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_open_that_hangs_is_waited_for_where_it_hangs(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for the driver can say which device file it does not open."""
    files, card = Files(), read_cards(simulation.roots)[0]
    waited_for = []

    def refuse(path: str, _flags: int) -> int:
        waited_for.append((path, files.at))
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO), path)

    monkeypatch.setattr(os, "open", refuse)
    open_probe.busy_files(files, simulation.roots, card)
    paths = [f"{simulation.roots.devfs}/{name}" for name in ("npu0", "npu0pe0-1", "npu0pe0", "npu0pe1")]
    assert sorted(waited_for) == sorted((path, path) for path in paths)


def test_opening_and_closing_a_device_file_is_an_event(simulation: Simulation) -> None:
    """Reading its status is none; a file that went and came back is watched again."""
    path = f"{simulation.roots.devfs}/npu0pe0"
    watch = OpenWatch()
    paths = [path, f"{simulation.roots.devfs}/npu9"]
    assert [watch.renew(paths), watch.renew(paths)] == [(True, None), (False, None)]
    os.stat(path)
    assert not watch.drain()
    with open(path, encoding="utf-8"):
        assert watch.drain()
    assert watch.drain()
    os.unlink(path)
    watch.drain()
    Path(path).touch()
    assert watch.renew([path]) == (True, None)
    with open(path, encoding="utf-8"):
        assert watch.drain()


def test_a_device_file_that_somebody_has_open_while_it_is_made_anew_is_watched_again(simulation: Simulation) -> None:
    """The kernel tells of the old file until that process closes it."""
    path = f"{simulation.roots.devfs}/npu0pe0"
    watch = OpenWatch()
    with open(path, encoding="utf-8"):
        watch.renew([path])
        os.unlink(path)
        watch.drain()
        Path(path).touch()
        assert watch.renew([path]) == (True, None)
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
