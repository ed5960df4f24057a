"""Keeps a watch on device files, whatever becomes of the folder or of the kernel's supply of inotify instances."""

from collections.abc import Callable
from typing import Protocol

from furiosa_npu.agent.log import Log
from furiosa_npu.node_labeller.loop import Loop
from furiosa_npu.node_labeller.rescan import POLL_SECONDS


class Watch(Protocol):
    """Tells that a device file came or went, as `hardware.hotplug.DeviceWatch` does."""

    def fileno(self) -> int: ...
    def drain(self) -> bool: ...
    def close(self) -> None: ...


class DeviceEvents:
    """Calls back when something came or went. `start` makes a watch, or raises OSError where none can be had."""

    def __init__(self, start: Callable[[], Watch], loop: Loop, log: Log, changed: Callable[[], None]) -> None:
        self._start = start
        self._loop = loop
        self._log = log
        self._changed = changed
        self._watch: Watch | None = None
        self.missing: str | None = None
        """why there are no events; None: there are"""

    def renew(self, doubtful: bool) -> bool:
        """Before each look: a folder that went and came back is watched again, and the look misses nothing.

        `doubtful`: something happened, or the last look failed. Returns whether something may have happened: what is
        told, or has just come, or nobody watched. In peace the watch stays as it is.
        """
        happened = doubtful or self._watch is None or self._watch.drain()
        if not happened:
            return False
        try:
            watch = self._start()
        except OSError as error:
            if self._watch is None:
                self._say_missing(error.strerror or str(error))
            return True  # a watch that we have goes on
        if self.missing is not None:
            self._log.info("events for device files are there")
            self.missing = None
        self.close()
        self._watch = watch
        self._loop.add_reader(watch.fileno(), self._readable)
        return True

    def close(self) -> None:
        """No more events."""
        if self._watch is not None:
            self._loop.remove_reader(self._watch.fileno())
            self._watch.close()
            self._watch = None

    def _say_missing(self, reason: str) -> None:
        if reason != self.missing:
            message = "no events for device files (inotify): looking every few seconds instead"
            self._log.warning(message, reason=reason, seconds=POLL_SECONDS)
        self.missing = reason

    def _readable(self) -> None:
        if self._watch is not None and self._watch.drain():
            self._changed()
