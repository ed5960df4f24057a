"""Device files that come and go, by events: inotify sees what the kernel makes in devtmpfs, and nothing of sysfs."""

from contextlib import suppress

from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.reading import Roots
from furiosa_npu.linux.inotify import (
    IN_CREATE,
    IN_DELETE,
    IN_IGNORED,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    Inotify,
)

_MASK = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
_FOLDERS = tuple(traits.device_folder for traits in TRAITS.values() if traits.device_folder)
"""in the devfs root"""


class DeviceWatch:
    """Watches the devfs root and its folders of NPUs, which may come later and go.

    Raises OSError: no inotify to be had.
    """

    def __init__(self, roots: Roots) -> None:
        self._inotify = Inotify()
        self._devfs = roots.devfs
        self._root: int | None = None
        self._watched: dict[str, int] = {}
        """folders in the root, and their watches"""
        self.tells_all = False
        """a device file that comes or goes is told; False: the kernel had no watch left for one of the folders"""
        try:
            self.renew()
        except OSError:
            self._inotify.close()
            raise

    def fileno(self) -> int:
        """Readable when something happened."""
        return self._inotify.fileno()

    def drain(self) -> bool:
        """Takes the events that are there; whether a device file of an NPU came or went, or might have."""
        changed = False
        for event in self._inotify.read():
            if event.mask & IN_Q_OVERFLOW:
                changed = True
            elif event.mask & IN_IGNORED:
                self._root = None if event.wd == self._root else self._root
                self._watched = {folder: watch for folder, watch in self._watched.items() if watch != event.wd}
                changed = True
            elif event.wd in self._watched.values() or event.name in _FOLDERS or event.name.startswith("npu"):
                changed = True
        if changed:
            self.tells_all = False
            with suppress(OSError):  # no watch is left: whoever calls `renew` is told, and what came is told here
                self.renew()
        return changed

    def close(self) -> None:
        self._inotify.close()

    def renew(self) -> None:
        """Watches what is there and not watched yet. To be called now and then where the devfs root itself may come."""
        if self.tells_all:
            return  # the root's watch tells of all that comes
        with suppress(FileNotFoundError):  # seen when it comes, by whoever calls
            if self._root is None:
                self._root = self._inotify.add_watch(self._devfs, _MASK)
        for folder in _FOLDERS:
            with suppress(FileNotFoundError):  # seen when it comes, by the root's watch or by whoever calls
                if folder not in self._watched:
                    self._watched[folder] = self._inotify.add_watch(f"{self._devfs}/{folder}", _MASK)
        self.tells_all = self._root is not None
