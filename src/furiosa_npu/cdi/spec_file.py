"""A CDI specification in a folder that container runtimes look into: `/etc/cdi`, `/var/run/cdi`.

Runtimes read the folder at any time, and every file whose name ends in `.json` or `.yaml`: so a file is written beside,
under a name that ends otherwise, and renamed. Source: the CDI library, `pkg/cdi/spec-dirs.go`.
"""

import errno
import os

from furiosa_npu.linux.atomic_file import replacing

MAXIMUM_BYTES = 4 << 20

_FAULTS = {
    errno.EROFS: "the folder is read-only here: a container needs it mounted writable",
    errno.ENOSPC: "its file system is full",
    errno.EDQUOT: "its file system is full for this user",
    errno.EACCES: "its mode keeps this process out",
    errno.EPERM: "this process has no right to",
    errno.ENOTDIR: "a part of the path is no folder",
    errno.EEXIST: "where its folder should be is something else",
}


class SpecFileError(Exception):
    """The file cannot be read, written or removed: its path, what the system said, and whose fault it is."""


def read(path: str) -> str | None:
    """The file's text; None: there is none. Raises SpecFileError."""
    try:
        with open(path, "rb") as file:
            return file.read(MAXIMUM_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failure(path, "cannot be read", error) from error


def write(path: str, text: str) -> None:
    """Puts `text` there in one step, readable by all; its folder is made where there is none. Raises SpecFileError."""
    folder = os.path.dirname(path)
    try:
        if folder:
            os.makedirs(folder, mode=0o755, exist_ok=True)
        with replacing(path, 0o644) as file:
            file.write(text.encode())
    except OSError as error:
        raise _failure(path, "cannot be written", error) from error


def remove(path: str) -> None:
    """It is gone then; whether it was there or not. Raises SpecFileError."""
    try:
        os.lstat(path)  # a read-only file system refuses to unlink what is not there, too
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _failure(path, "cannot be removed", error) from error


def identity(path: str) -> tuple[int, ...] | None:
    """Another one after whatever happens to the file; None: there is none to see."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _failure(path: str, what: str, error: OSError) -> SpecFileError:
    fault = _FAULTS.get(error.errno or 0)
    return SpecFileError(": ".join(filter(None, (path, what, error.strerror or str(error), fault))))
