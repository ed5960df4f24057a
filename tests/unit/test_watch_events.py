"""Events of the folders of sockets and of the devfs root, on real ones: each wakes; a lack of watches is said."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.hardware.reading import Roots
from furiosa_npu.linux.inotify import Inotify
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.events import Events


class Watched:
    """Events of two folders; `woken` says how often since it was last asked."""

    def __init__(self, root: Path, *folders: str) -> None:
        self.folders = tuple(root / folder for folder in folders or ("registry", "driver"))
        (root / "dev").mkdir()
        self.conditions = Conditions(Log(write=lambda _: None))
        self._woken = 0
        self._readers: list[Callable[[], None]] = []
        self.events = Events(
            Roots(str(root / "dev"), str(root / "sys")),
            [str(folder) for folder in self.folders],
            lambda _, read: self._readers.append(read),
            self.conditions,
            on_devices=lambda: None,
            on_opened=None,
            on_folder=self._on_folder,
        )

    def is_woken(self) -> bool:
        """By what happened since the last time."""
        for read in self._readers:
            read()
        woken, self._woken = self._woken, 0
        return woken > 0

    def _on_folder(self) -> None:
        self._woken += 1


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_what_comes_and_goes_in_any_of_the_folders_wakes(watched: Watched) -> None:
    """A socket is a file there like another."""
    for folder in watched.folders:
        folder.mkdir()
    watched.events.renew()
    assert (watched.events.of_folder, watched.is_woken(), watched.is_woken()) == (True, True, False)
    for folder in watched.folders:
        (folder / "a.sock").touch()
        assert watched.is_woken()
        (folder / "a.sock").unlink()
        assert watched.is_woken()
        assert not watched.is_woken()


@pytest.mark.parametrize("late", [0, 1])
def test_a_folder_that_comes_later_is_watched_at_once(watched: Watched, late: int) -> None:
    """Where it will be, its coming is an event; the other folder's events come all the while."""
    watched.folders[1 - late].mkdir()
    watched.events.renew()
    assert (watched.events.of_folder, watched.is_woken()) == (False, True)
    (watched.folders[1 - late] / "a.sock").touch()
    assert watched.is_woken()
    watched.folders[late].mkdir()
    assert (watched.is_woken(), watched.events.of_folder) == (True, True)
    (watched.folders[late].parent / "another").mkdir()
    assert not watched.is_woken()
    (watched.folders[late] / "a.sock").touch()
    assert watched.is_woken()


def test_folders_one_of_which_is_in_the_other_are_both_watched(tmp_path: Path) -> None:
    """Also where they come together."""
    watched = Watched(tmp_path, "kubelet/registry", "kubelet")
    watched.events.renew()
    assert (watched.events.of_folder, watched.is_woken()) == (False, False)
    watched.folders[0].mkdir(parents=True)
    assert (watched.is_woken(), watched.events.of_folder) == (True, True)
    for folder in watched.folders:
        (folder / "a.sock").touch()
        assert watched.is_woken()


def test_a_folder_that_was_made_again_is_watched_again(watched: Watched) -> None:
    """Its going is an event too."""
    for folder in watched.folders:
        folder.mkdir()
    watched.events.renew()
    assert watched.is_woken()
    watched.folders[0].rmdir()
    assert (watched.is_woken(), watched.events.of_folder) == (True, False)
    watched.folders[0].mkdir()
    assert (watched.is_woken(), watched.events.of_folder) == (True, True)
    (watched.folders[0] / "a.sock").touch()
    assert watched.is_woken()
    assert watched.conditions.troubles() == ()


class UsedUp:
    """Events of a devfs root in which no watch is granted on `used_up`: `max_user_watches`."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, used_up: str) -> None:
        self.devfs = root / "dev"
        self.devfs.mkdir()
        self.lines: list[str] = []
        self.opened = 0
        """how often it was called back that somebody may have opened a device file"""
        self.readers: list[Callable[[], None]] = []
        """what the loop calls where events have come"""
        self.used_up = used_up
        self.events = Events(
            Roots(str(self.devfs), str(root / "sys")),
            (),
            lambda _, readable: self.readers.append(readable),
            Conditions(Log(write=self.lines.append)),
            on_devices=lambda: None,
            on_opened=self._on_opened,
            on_folder=lambda: None,
        )
        granted = Inotify.add_watch

        def add_watch(inotify: Inotify, path: str, mask: int) -> int:
            if path == str(self.devfs / self.used_up) and Path(path).exists():
                raise OSError(errno.ENOSPC, "No space left on device", path)
            return granted(inotify, path, mask)

        monkeypatch.setattr(Inotify, "add_watch", add_watch)

    def _on_opened(self) -> None:
        self.opened += 1

    def said(self, words: str) -> int:
        return sum(words in line for line in self.lines)


def test_opens_that_no_watch_is_left_for_are_not_said_to_be_well_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next look, which brings no paths, heals nothing; one that finds a watch again has the users looked at."""
    scarce = UsedUp(tmp_path, monkeypatch, "npu0")
    (scarce.devfs / "npu0").touch()
    scarce.events.renew([str(scarce.devfs / "npu0")])
    assert (scarce.said("no events from the kernel"), scarce.events.of_opens, scarce.opened) == (1, False, 0)
    scarce.events.renew()
    assert (scarce.said("well again"), scarce.events.of_opens, scarce.opened) == (0, False, 0)
    scarce.used_up = "none"
    scarce.events.renew()
    assert (scarce.said("well again"), scarce.events.of_opens, scarce.opened) == (1, True, 1)


def test_device_files_are_watched_though_no_watch_was_left_for_their_folder_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens them is not taken for known until then."""
    scarce = UsedUp(tmp_path, monkeypatch, ".")
    (scarce.devfs / "npu0").touch()
    scarce.events.renew([str(scarce.devfs / "npu0")])
    assert (scarce.events.of_opens, scarce.opened) == (False, 0)
    scarce.used_up = "none"
    scarce.events.renew()
    assert (scarce.events.of_opens, scarce.opened) == (True, 1)


def test_device_files_in_a_folder_that_no_watch_is_left_for_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log says "looking once a second instead": that is done where events of device files do not come."""
    scarce = UsedUp(tmp_path, monkeypatch, "rngd")
    scarce.events.renew()
    assert scarce.events.of_devices
    (scarce.devfs / "rngd").mkdir()
    for readable in scarce.readers:
        readable()
    scarce.events.renew()
    assert (scarce.said("no events from the kernel"), scarce.events.of_devices) == (1, False)
