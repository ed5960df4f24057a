"""Puts the image's static furiosactl on the host, for containers to mount."""

import os

from furiosa_npu.device_plugin.conditions import Conditions


class HostTools:
    """furiosactl on the host, put there anew should it go."""

    def __init__(self, source: str, folder: str, conditions: Conditions) -> None:
        self._source = source
        self._folder = folder
        self._conditions = conditions

    def furiosactl(self) -> str | None:
        """The path to mount, or None: then it was said why, and containers get their cards without it."""
        try:
            path = install(self._source, self._folder)
        except HostToolsError as error:
            self._conditions.remark("furiosactl", f"containers get no furiosactl: {error}")
            return None
        self._conditions.well("furiosactl")
        return path


class HostToolsError(Exception):
    """furiosactl cannot be offered to containers; says which path and why."""


def install(source: str, folder: str) -> str:
    """Copies `source` to `folder`/furiosactl unless it is there, byte for byte; returns the path.

    Written beside and renamed, never in place: a container may run the file that is there. Raises HostToolsError.
    """
    target = f"{folder}/furiosactl"
    try:
        wanted = _read(source)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        if os.statvfs(folder).f_flag & os.ST_NOEXEC:
            raise HostToolsError(f"{folder}: found a file system mounted noexec, expected one that programs run from")
        if not _is_there(target, wanted):
            _write(target, wanted)
    except OSError as error:
        raise HostToolsError(f"{error.filename or folder}: {error.strerror or error}") from error
    return target


def _is_there(target: str, wanted: bytes) -> bool:
    try:
        return os.stat(target).st_mode & 0o777 == 0o755 and _read(target) == wanted
    except FileNotFoundError:
        return False


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _write(target: str, content: bytes) -> None:
    beside = f"{target}.{os.getpid()}.new"
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o755)
            os.fsync(file.fileno())
        os.rename(beside, target)
    except OSError:
        if os.path.exists(beside):
            os.unlink(beside)
        raise
