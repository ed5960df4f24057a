"""Device files that somebody opens or closes, by events: the kernel tells of each open(2) of a watched file."""

from collections.abc import Iterable

from furiosa_npu.linux.inotify import IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_IGNORED, IN_OPEN, Inotify

_MASK = IN_OPEN | IN_CLOSE_WRITE | IN_CLOSE_NOWRITE


class OpenWatch:
    """Watches single files, since all the world opens others in /dev. Raises OSError: no inotify to be had.

    A container's device file is another file than the host's, though it leads to the same device: not seen here.
    Inside a container whose device cgroup does not let it read a device, the kernel grants no watch of its file either.
    """

    def __init__(self) -> None:
        self._inotify = Inotify()
        self._watches: set[int] = set()
        self.refused = False
        """a watch was not granted (EPERM, EACCES): nothing will be told of that file"""

    def fileno(self) -> int:
        """Readable when something happened."""
        return self._inotify.fileno()

    def renew(self, paths: Iterable[str]) -> tuple[bool, OSError | None]:
        """Watches these files as far as they are there, each of them whatever becomes of the others.

        Whether one of them was not watched before: who opened it until now was not told. And why another one is not:
        the kernel has no watch left.
        """
        before, failure = len(self._watches), None
        for path in paths:
            try:
                self._watches.add(self._inotify.add_watch(path, _MASK))
            except FileNotFoundError:
                continue  # it went: the watch on the folder tells
            except PermissionError:
                self.refused = True
            except OSError as error:
                failure = error
        return len(self._watches) > before, failure

    def drain(self) -> bool:
        """Takes the events that are there; whether a file was opened or closed."""
        happened = False
        for event in self._inotify.read():
            if event.mask & IN_IGNORED:
                self._watches.discard(event.wd)  # the file is gone
            happened = True
        return happened
