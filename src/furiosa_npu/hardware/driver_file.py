"""One file of the driver's tree, read in one bounded pass: text, absent, or a `Problem` that says what was found."""

import errno
import os
import stat

from furiosa_npu.hardware.reading import Problem

MAXIMUM_BYTES = 4096
"""sysfs gives a page at most (Documentation/filesystems/sysfs.rst)"""

ABSENT_ERRORS = (errno.ENOENT, errno.ENOTDIR)


class FileProblem(Exception):
    """A file that could not be read as documented."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_text(path: str, expected: str = "a line of text") -> str | None:
    """The file's text without white space at its ends, None where there is no such file.

    Raises FileProblem for everything else that is not a small UTF-8 file, and `PermissionError` where it is closed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        raise
    except OSError as error:
        if error.errno in ABSENT_ERRORS:
            return None
        raise FileProblem(Problem(path, error_name(error), expected)) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileProblem(Problem(path, "something other than a regular file", expected))
        data = os.read(descriptor, MAXIMUM_BYTES + 1)
    except PermissionError:
        raise
    except OSError as error:
        raise FileProblem(Problem(path, error_name(error), expected)) from error
    finally:
        os.close(descriptor)
    if len(data) > MAXIMUM_BYTES:
        raise FileProblem(Problem(path, f"more than {MAXIMUM_BYTES} bytes", expected))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise FileProblem(Problem(path, f"bytes that are no UTF-8: {shortened(data)}", expected)) from None
    if "\0" in text:
        raise FileProblem(Problem(path, f"a NUL byte: {shortened(text)}", expected))
    return text.strip()


def error_name(error: OSError) -> str:
    """`EIO (Input/output error)`."""
    return f"{errno.errorcode.get(error.errno or 0, error.errno)} ({error.strerror})"


def shortened(found: str | bytes) -> str:
    """What was found, quoted, in at most some sixty characters."""
    return repr(found) if len(found) <= 48 else f"{found[:48]!r}... ({len(found)} long)"


def list_names(path: str) -> tuple[str, ...]:
    """The names in a folder, sorted; none where there is no such folder. Raises FileProblem."""
    try:
        return tuple(sorted(os.listdir(path)))
    except OSError as error:
        if error.errno in ABSENT_ERRORS:
            return ()
        raise FileProblem(Problem(path, error_name(error), "a folder that can be listed")) from error
