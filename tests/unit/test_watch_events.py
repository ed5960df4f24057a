"""Events of the folders of sockets, on real folders: each wakes, whichever came when."""

from collections.abc import Callable
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.hardware.reading import Roots
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.events import Events


class Watched:
    """Events of two folders; `woken` says how often since it was last asked."""

    def __init__(self, root: Path) -> None:
        self.folders = (root / "registry", root / "driver")
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
def test_a_folder_that_comes_later_is_watched_from_the_next_look_on(watched: Watched, late: int) -> None:
    """Until then somebody has to look; the other folder's events come all the while."""
    watched.folders[1 - late].mkdir()
    watched.events.renew()
    assert (watched.events.of_folder, watched.is_woken()) == (False, True)
    (watched.folders[1 - late] / "a.sock").touch()
    assert watched.is_woken()
    watched.folders[late].mkdir()
    watched.events.renew()
    assert (watched.events.of_folder, watched.is_woken()) == (True, True)
    (watched.folders[late] / "a.sock").touch()
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
    watched.events.renew()
    assert (watched.events.of_folder, watched.is_woken()) == (True, True)
    (watched.folders[0] / "a.sock").touch()
    assert watched.is_woken()
    assert watched.conditions.troubles() == ()
