"""What the kernel tells without being asked: device files that come and go, sockets in the kubelet's folders."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from furiosa_npu.hardware.hotplug import DeviceWatch
from furiosa_npu.hardware.open_watch import OpenWatch
from furiosa_npu.hardware.reading import Roots
from furiosa_npu.linux.inotify import (
    IN_ATTRIB,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_MASK_ADD,
    IN_MOVE_SELF,
    IN_MOVED_TO,
    Inotify,
)
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.outside_users import LOOK_SECONDS

_FOLDER_MASK = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
_NO_WATCH = (
    "the kernel does not tell who opens or closes a device file (not permitted: a container's device cgroup forbids "
    f"it): the host's processes are looked at each {LOOK_SECONDS:g} s instead"
)
_PARENT_MASK = IN_CREATE | IN_MOVED_TO | IN_MASK_ADD
"""Added: the parent may be one of the folders, too."""
_FOLDER_ENDED = IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF


class Events:
    """Calls back at events of the devfs root, of the cards' device files where `on_opened` is given, and of the folders
    of sockets; each may come later, and go.

    Where there is no inotify to be had (`max_user_instances`, `max_user_watches`), that is said, and the agent's own
    cycle has to do. `renew` is to be called in each cycle.
    """

    def __init__(
        self,
        roots: Roots,
        folders: Sequence[str],
        add_reader: Callable[[int, Callable[[], None]], object],
        conditions: Conditions,
        on_devices: Callable[[], None],
        on_opened: Callable[[], None] | None,
        on_folder: Callable[[], None],
    ) -> None:
        """`folders`: where the agent and the kubelet have their sockets."""
        self._roots = roots
        self._folders = folders
        self._add_reader = add_reader
        self._conditions = conditions
        self._on_devices = on_devices
        self._on_opened = on_opened
        self._on_folder = on_folder
        self._devices: DeviceWatch | None = None
        self._opens: OpenWatch | None = None
        self._unwatched: tuple[str, ...] = ()
        """device files whose opens and closes are to be watched yet"""
        self._inotify: Inotify | None = None
        self._watched: dict[int, str] = {}
        """the folders by their watches"""
        self._parents: set[int] = set()
        """watches of what folders that are not there will be in"""

    @property
    def of_folder(self) -> bool:
        """Events of all folders come; without them somebody has to look."""
        return len(self._watched) == len(self._folders)

    @property
    def of_devices(self) -> bool:
        """Events of device files come."""
        return self._devices is not None and self._devices.tells_all

    @property
    def of_opens(self) -> bool:
        """Events come of whoever opens or closes on the host a device file that it was told to watch."""
        return self._opens is not None and not self._opens.refused and not self._unwatched

    def renew(self, device_files: Iterable[str] = ()) -> None:
        """Watches what is there and not watched yet. `device_files`: the paths of those that compute, where they may
        be others than before; one that was not watched until now may have been opened, which is called back."""
        if self._on_opened is not None:
            self._unwatched = tuple(dict.fromkeys((*self._unwatched, *device_files)))
        try:
            if self._devices is None:
                self._devices = DeviceWatch(self._roots)
                self._add_reader(self._devices.fileno(), self._devices_readable)
            self._devices.renew()
            if self._on_opened is not None:
                self._watch_files(self._on_opened)
            if self._inotify is None:
                self._inotify = Inotify()
                self._add_reader(self._inotify.fileno(), self._folder_readable)
            self._watch_folders(self._inotify)
        except OSError as error:
            self._conditions.remark("inotify", f"no events from the kernel ({error}): looking once a second instead")
        else:
            self._conditions.well("inotify")

    def _watch_files(self, on_opened: Callable[[], None]) -> None:
        """Raises OSError where no watches are left."""
        if self._opens is None:
            self._opens = OpenWatch()
            self._add_reader(self._opens.fileno(), self._opens_readable)
        is_new, failure = self._opens.renew(self._unwatched)
        if is_new:
            on_opened()
        if self._opens.refused:
            self._conditions.remark("open files", _NO_WATCH)
        if failure is not None:
            raise failure
        self._unwatched = ()

    def _watch_folders(self, inotify: Inotify) -> None:
        """Raises OSError where no watches are left."""
        for folder in self._folders:
            if folder not in self._watched.values() and not self._watch(inotify, folder):
                with suppress(FileNotFoundError, NotADirectoryError):
                    self._parents.add(inotify.add_watch(os.path.dirname(folder), _PARENT_MASK))
                self._watch(inotify, folder)  # it may have come meanwhile

    def _watch(self, inotify: Inotify, folder: str) -> bool:
        """False: it is not there yet, which its endpoints say."""
        try:
            self._watched[inotify.add_watch(folder, _FOLDER_MASK)] = folder
        except FileNotFoundError:
            return False
        self._on_folder()
        return True

    def _devices_readable(self) -> None:
        if self._devices is not None and self._devices.drain():
            self._on_devices()

    def _opens_readable(self) -> None:
        if self._opens is not None and self._opens.drain() and self._on_opened is not None:
            self._on_opened()

    def _folder_readable(self) -> None:
        events = self._inotify.read() if self._inotify is not None else []
        for event in events:
            if event.mask & _FOLDER_ENDED:
                self._watched.pop(event.wd, None)
                self._parents.discard(event.wd)
        if any(event.wd not in self._parents or event.wd in self._watched for event in events):
            self._on_folder()
        if events and not self.of_folder:
            self.renew()
