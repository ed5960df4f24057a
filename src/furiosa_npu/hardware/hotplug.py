"""Device files that come and go, by events: inotify sees what the kernel makes in devtmpfs, and nothing of sysfs."""

from contextlib import suppress

from furiosa_npu.hardware.device_names import RENEGADE_FOLDER
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


class DeviceWatch:
    """Watches the devfs root and its `rngd/`, which may come later and go. Raises OSError: no inotify to be had."""

    def __init__(self, roots: Roots) -> None:
        self._inotify = Inotify()
        self._devfs = roots.devfs
        self._root: int | None = None
        self._renegade: int | None = None
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
                self._renegade = None if event.wd == self._renegade else self._renegade
                changed = True
            elif event.wd == self._renegade or event.name == RENEGADE_FOLDER or event.name.startswith("npu"):
                changed = True
        if changed:
            with suppress(OSError):  # no watch is left: whoever calls `renew` is told, and what came is told here
                self.renew()
        return changed

    def close(self) -> None:
        self._inotify.close()

    def renew(self) -> None:
        """Watches what is there and not watched yet. To be called now and then where the devfs root itself may come."""
        try:
            if self._root is None:
                self._root = self._inotify.add_watch(self._devfs, _MASK)
            if self._renegade is None:
                self._renegade = self._inotify.add_watch(f"{self._devfs}/{RENEGADE_FOLDER}", _MASK)
        except FileNotFoundError:
            return
