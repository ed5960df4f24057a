"""Files of the driver's tree, each read in one bounded pass: text, absent, or a `Problem` that says what was found."""

import errno
import os
import stat
from collections.abc import Callable
from typing import Any, TypeVar

from furiosa_npu.hardware.reading import Problem

MAXIMUM_BYTES = 4096
"""sysfs gives a page at most (Documentation/filesystems/sysfs.rst)"""

ABSENT_ERRORS = (errno.ENOENT, errno.ENOTDIR)

T = TypeVar("T")


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
        self._known: dict[str, tuple[bytes, Any]] = {}

    def parsed(self, path: str, parse: Callable[[str], T], expected: str) -> T:
        """What the file's text, without white space at its ends, means.

        Raises FileNotFoundError where there is no such file, PermissionError where it is closed, FileProblem for
        everything else that is not a small UTF-8 file that `parse` takes.
        """
        data = self._read(path, expected)
        known = self._known.get(path)
        if known is not None and known[0] == data:
            return known[1]  # type: ignore[no-any-return]  # a path has one parser
        text = _text(path, data, expected)
        try:
            value = parse(text)
        except ValueError as error:
            raise FileProblem(Problem(path, shortened(text), str(error))) from error
        self._known[path] = (data, value)
        return value

    def names(self, path: str) -> tuple[str, ...]:
        """The names in a folder, sorted; none where there is no such folder. Raises FileProblem."""
        self.at = path
        try:
            return tuple(sorted(os.listdir(path)))
        except OSError as error:
            if error.errno in ABSENT_ERRORS:
                return ()
            raise FileProblem(Problem(path, error_name(error), "a folder that can be listed")) from error

    def status(self, path: str) -> os.stat_result | None:
        """stat(2); None where that is refused or there is nothing."""
        self.at = path
        try:
            return os.stat(path)
        except OSError:
            return None

    def _read(self, path: str, expected: str) -> bytes:
        self.at = path
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError:
            raise
        except OSError as error:
            if error.errno in ABSENT_ERRORS:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
            raise FileProblem(Problem(path, error_name(error), expected)) from error
        try:
            data = os.read(descriptor, MAXIMUM_BYTES + 1)
            if not data and not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileProblem(Problem(path, "something other than a regular file", expected))
        except PermissionError:
            raise
        except OSError as error:
            raise FileProblem(Problem(path, error_name(error), expected)) from error
        finally:
            os.close(descriptor)
        if len(data) > MAXIMUM_BYTES:
            raise FileProblem(Problem(path, f"more than {MAXIMUM_BYTES} bytes", expected))
        return data


def error_name(error: OSError) -> str:
    """`EIO (Input/output error)`."""
    return f"{errno.errorcode.get(error.errno or 0, error.errno)} ({error.strerror})"


def shortened(found: str | bytes) -> str:
    """What was found, quoted, in at most some sixty characters."""
    return repr(found) if len(found) <= 48 else f"{found[:48]!r}... ({len(found)} long)"


def _text(path: str, data: bytes, expected: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise FileProblem(Problem(path, f"bytes that are no UTF-8: {shortened(data)}", expected)) from None
    if "\0" in text:
        raise FileProblem(Problem(path, f"a NUL byte: {shortened(text)}", expected))
    return text.strip()
