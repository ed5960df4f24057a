"""Events of the device plugins' folder: a kubelet that comes, a socket that goes."""

from collections.abc import Callable

from furiosa_npu.linux.inotify import IN_ATTRIB, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_IGNORED, IN_MOVED_TO, Inotify

_MASK = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF


class FolderWatch:
    """Calls `on_event` after each event in `folder`; the folder may come later, and go."""

    def __init__(self, folder: str, inotify: Inotify, on_event: Callable[[], None]) -> None:
        self._folder = folder
        self._inotify = inotify
        self._on_event = on_event
        self._watching = False

    def ensure(self) -> None:
        """Watches the folder unless it does already. Raises OSError where it cannot: no folder, no inotify left."""
        if not self._watching:
            self._inotify.add_watch(self._folder, _MASK)
            self._watching = True
            self._on_event()

    def readable(self) -> None:
        """To be called when the inotify descriptor can be read."""
        events = self._inotify.read()
        if any(event.mask & (IN_IGNORED | IN_DELETE_SELF) for event in events):
            self._watching = False
        if events:
            self._on_event()
