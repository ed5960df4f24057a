"""inotify(7) over libffi: who creates, deletes or changes files in a folder wakes us, no clock does.

`inotify_simple` would bring `enum` and more to every node: 1.4 MiB in the labeller, measured. `ctypes` itself makes
types for all of C, 0.3 MiB in each agent; the extension module below it is enough for two functions.
"""

import _ctypes
import errno
import os
import struct
from typing import NamedTuple

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_CLOSE_NOWRITE = 0x10
IN_OPEN = 0x20
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_MASK_ADD = 0x20000000

_HEADER = struct.Struct("iIII")
_BUFFER_BYTES = 16384


class _Function(_ctypes.CFuncPtr):
    """Of the C library: numbers and bytes in, an int out, as C has it where nothing is said."""

    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO


class Event(NamedTuple):
    """`struct inotify_event`."""

    wd: int
    """the watch; -1 of an overflow of the queue"""
    mask: int
    cookie: int
    name: str
    """of the file inside the watched folder, empty for the folder itself"""


class Inotify:
    """One inotify instance, non-blocking. Raises OSError (EMFILE: the user's instances are used up)."""

    def __init__(self) -> None:
        library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # what the process has loaded (dlopen(3))
        self._add_watch = _Function(_ctypes.dlsym(library, "inotify_add_watch"))
        init = _Function(_ctypes.dlsym(library, "inotify_init1"))
        self._fd = self._checked(init(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")

    def fileno(self) -> int:
        return self._fd

    def add_watch(self, path: str, mask: int) -> int:
        """The watch's number; the same for the same folder. Raises OSError (ENOENT, ENOSPC: watches are used up)."""
        return self._checked(self._add_watch(self._fd, os.fsencode(path), mask), path)

    def read(self) -> list[Event]:
        """What happened since the last call; empty where nothing did."""
        try:
            data = os.read(self._fd, _BUFFER_BYTES)
        except BlockingIOError:
            return []
        events = []
        at = 0
        while at < len(data):
            wd, mask, cookie, length = _HEADER.unpack_from(data, at)
            at += _HEADER.size
            events.append(Event(wd, mask, cookie, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
            at += length
        return events

    def close(self) -> None:
        os.close(self._fd)

    @staticmethod
    def _checked(result: int, what: str) -> int:
        if result < 0:
            number = _ctypes.get_errno()
            raise OSError(number, f"{os.strerror(number)} ({errno.errorcode.get(number, number)})", what)
        return result
