"""Files of the driver's tree, each read in one bounded pass: text, absent, or a `Problem` that says what was found."""

import errno
import os
import stat
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from furiosa_npu.hardware.reading import Problem

MAXIMUM_BYTES = 4096
"""sysfs gives a page at most (Documentation/filesystems/sysfs.rst)"""

_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
ABSENT_ERRORS = (errno.ENOENT, errno.ENOTDIR)

T = TypeVar("T")

Trail = dict[tuple[Callable[[str], Any], str], Any]
"""What looks at paths told, in their order; of one that failed the error's number."""


class FileKind(NamedTuple):
    """What stat(2) tells for good."""

    st_mode: int
    st_rdev: int


class FileProblem(Exception):
    """A file that could not be read as documented."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Files:
    """The files that one reader looks at, one after the other. Not for two threads at once.

    Remembers what each text meant: most files say the same each second, and parsing costs more than reading.
    """

    def __init__(self) -> None:
        self.at = ""
        """the path that is looked at now: where a driver that does not answer is waited for"""
        self.trail: Trail | None = None
        """notes what is told, where somebody wants to know later whether that is told still"""
        self._known: dict[str, tuple[bytes, Any]] = {}

    def parsed(self, path: str, parse: Callable[[str], T], expected: str) -> T:
        """What the file's text, without white space at its ends, means.

        Raises FileNotFoundError where there is no such file, PermissionError where it is closed, FileProblem for
        everything else that is not a small UTF-8 file that `parse` takes.
        """
        return self.parsed_with_mode(path, parse, expected, with_mode=False)[0]

    def parsed_with_mode(
        self, path: str, parse: Callable[[str], T], expected: str, *, with_mode: bool = True
    ) -> tuple[T, int]:
        """The same, and the file's mode (0 without `with_mode`)."""
        try:
            data, mode = self._told(_data_and_mode if with_mode else _data, path)
        except OSError as error:
            raise _refusal(path, error, expected) from error
        known = self._known.get(path)
        if known is not None and known[0] == data:
            return known[1], mode
        if not data and not stat.S_ISREG(mode):
            raise FileProblem(Problem(path, "something other than a regular file", expected))
        text = _text(path, data, expected)
        try:
            value = parse(text)
        except ValueError as error:
            raise FileProblem(Problem(path, shortened(text), str(error))) from error
        self._known[path] = (data, value)
        return value, mode

    def names(self, path: str) -> tuple[str, ...]:
        """The names in a folder, sorted; none where there is no such folder. Raises FileProblem."""
        try:
            return self._told(_names, path)
        except OSError as error:
            if error.errno in ABSENT_ERRORS:
                return ()
            raise FileProblem(Problem(path, error_name(error), "a folder that can be listed")) from error

    def link(self, path: str) -> str | None:
        """readlink(2); None where that is refused, or it is no link."""
        try:
            return self._told(os.readlink, path)
        except OSError:
            return None

    def kind(self, path: str) -> FileKind | None:
        """None where that is refused or there is nothing."""
        try:
            return self._told(_kind, path)
        except OSError:
            return None

    def tell_the_same(self, trail: Trail) -> bool:
        """Each look of the trail, anew. What tells the same means the same, and to find out what costs much more."""
        for (look, path), before in trail.items():
            self.at = path
            try:
                told = look(path)
            except OSError as error:
                told = error.errno
            if told != before:
                return False
        return True

    def _told(self, look: Callable[[str], T], path: str) -> T:
        """Raises OSError."""
        self.at = path
        try:
            told = look(path)
        except OSError as error:
            if self.trail is not None:
                self.trail[look, path] = error.errno
            raise
        if self.trail is not None:
            self.trail[look, path] = told
        return told


def _data(path: str) -> tuple[bytes, int]:
    """And the mode, 0 where there is a text: what is read without a word may be no regular file."""
    descriptor = os.open(path, _READING)
    try:
        data = os.read(descriptor, MAXIMUM_BYTES + 1)
        return data, 0 if data else os.fstat(descriptor).st_mode
    finally:
        os.close(descriptor)


def _data_and_mode(path: str) -> tuple[bytes, int]:
    descriptor = os.open(path, _READING)
    try:
        return os.read(descriptor, MAXIMUM_BYTES + 1), os.fstat(descriptor).st_mode
    finally:
        os.close(descriptor)


def _names(path: str) -> tuple[str, ...]:
    return tuple(sorted(os.listdir(path)))


def _kind(path: str) -> FileKind:
    status = os.stat(path)
    return FileKind(status.st_mode, status.st_rdev)


def _refusal(path: str, error: OSError, expected: str) -> Exception:
    if isinstance(error, PermissionError):
        return error
    if error.errno in ABSENT_ERRORS:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return FileProblem(Problem(path, error_name(error), expected))


def error_name(error: OSError) -> str:
    """`EIO (Input/output error)`."""
    return f"{errno.errorcode.get(error.errno or 0, error.errno)} ({error.strerror})"


def shortened(found: str | bytes) -> str:
    """What was found, quoted, in at most some sixty characters."""
    return repr(found) if len(found) <= 48 else f"{found[:48]!r}... ({len(found)} long)"


def _text(path: str, data: bytes, expected: str) -> str:
    if len(data) > MAXIMUM_BYTES:
        raise FileProblem(Problem(path, f"more than {MAXIMUM_BYTES} bytes", expected))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise FileProblem(Problem(path, f"bytes that are no UTF-8: {shortened(data)}", expected)) from None
    if "\0" in text:
        raise FileProblem(Problem(path, f"a NUL byte: {shortened(text)}", expected))
    return text.strip()
