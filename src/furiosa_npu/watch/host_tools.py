"""Puts the image's static furiosactl on the host, for containers to mount."""

import os

from furiosa_npu.linux.atomic_file import remove_begun, replacing
from furiosa_npu.watch.conditions import Conditions

_CHUNK_BYTES = 65536
"""The file has 9 MB; read whole, malloc would keep them."""


class HostTools:
    """furiosactl on the host, put there anew should it go or change."""

    def __init__(self, source: str, folder: str, conditions: Conditions) -> None:
        self._source = source
        self._folder = folder
        self._conditions = conditions
        self._installed: tuple[int, ...] | None = None

    def furiosactl(self) -> str | None:
        """The path to mount, or None: then it was said why, and containers get their cards without it."""
        target = f"{self._folder}/furiosactl"
        try:
            if self._installed is None or _identity(target) != self._installed:
                install(self._source, self._folder)
                self._installed = _identity(target)
        except HostToolsError as error:
            self._installed = None
            self._conditions.remark("furiosactl", f"containers get no furiosactl: {error}")
            return None
        self._conditions.well("furiosactl")
        return target


class HostToolsError(Exception):
    """furiosactl cannot be offered to containers; says which path and why."""


def install(source: str, folder: str) -> None:
    """Copies `source` to `folder`/furiosactl unless it is there, byte for byte.

    Written beside and renamed, never in place: a container may run the file that is there. Raises HostToolsError.
    """
    target = f"{folder}/furiosactl"
    try:
        with open(source, "rb"):
            os.makedirs(folder, mode=0o755, exist_ok=True)
        if os.statvfs(folder).f_flag & os.ST_NOEXEC:
            raise HostToolsError(f"{folder}: found a file system mounted noexec, expected one that programs run from")
        remove_begun(target)
        if not _is_there(target, source):
            _write(target, source)
    except OSError as error:
        raise HostToolsError(f"{error.filename or folder}: {error.strerror or error}") from error


def _is_there(target: str, source: str) -> bool:
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return False
    if status.st_mode & 0o777 != 0o755 or status.st_size != os.stat(source).st_size:
        return False
    with open(target, "rb", buffering=0) as there, open(source, "rb", buffering=0) as wanted:
        while True:
            chunk = wanted.read(_CHUNK_BYTES)
            if chunk != there.read(_CHUNK_BYTES):
                return False
            if not chunk:
                return True


def _write(target: str, source: str) -> None:
    with open(source, "rb", buffering=0) as content, replacing(target, 0o755) as file:
        while chunk := content.read(_CHUNK_BYTES):
            file.write(chunk)


def _identity(path: str) -> tuple[int, ...] | None:
    """Changes with whatever happens to the file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
