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
        self._watches: dict[int, str] = {}
        self.refused = False
        """a watch was not granted (EPERM, EACCES): nothing will be told of that file"""
        self._lacking: tuple[str, ...] = ()
        """for which the kernel had no watch left"""

    @property
    def tells_all(self) -> bool:
        """Whoever opens one of the files that it was told to watch is told of."""
        return not self.refused and not self._lacking

    def fileno(self) -> int:
        """Readable when something happened."""
        return self._inotify.fileno()

    def renew(self, paths: Iterable[str]) -> None:
        """Watches these files and those that the kernel had no watch for before, as far as they are there.

        Raises OSError where the kernel has no watch left.
        """
        known = set(self._watches.values())
        wanted = [path for path in dict.fromkeys((*self._lacking, *paths)) if path not in known]
        lacking: dict[str, OSError] = {}
        for path in wanted:
            try:
                self._watches[self._inotify.add_watch(path, _MASK)] = path
            except FileNotFoundError:
                continue  # it went: the watch on the folder tells
            except PermissionError:
                self.refused = True
            except OSError as error:
                lacking[path] = error
        self._lacking = tuple(lacking)
        if lacking:
            raise next(iter(lacking.values()))

    def drain(self) -> bool:
        """Takes the events that are there; whether a file was opened or closed."""
        happened = False
        for event in self._inotify.read():
            if event.mask & IN_IGNORED:
                self._watches.pop(event.wd, None)  # the file is gone
            happened = True
        return happened
