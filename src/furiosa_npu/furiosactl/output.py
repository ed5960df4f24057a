"""What a command has to say, and how it gets out: UTF-8, whatever locale and environment say."""

import os
from typing import NamedTuple


class Output(NamedTuple):
    """One command's result."""

    text: str
    """for standard output"""
    complaints: tuple[str, ...] = ()
    """for standard error, a line each"""
    exit_code: int = 0


def write_out(output: Output) -> int:
    """Writes both, text first, and gives the exit code: 1 too where standard output did not take all of it.

    A reader that has gone (EPIPE) is not complained about: nobody is there to be told.
    """
    complaints, exit_code = list(output.complaints), output.exit_code
    try:
        _write(1, output.text)
    except BrokenPipeError:
        exit_code = exit_code or 1
    except OSError as error:
        complaints.append(f"standard output: {error.strerror}")
        exit_code = exit_code or 1
    try:
        _write(2, "".join(f"furiosactl: {complaint}\n" for complaint in complaints))
    except OSError:
        return exit_code  # there is no third place to say it; the exit code says that something was wrong
    return exit_code


def _write(descriptor: int, text: str) -> None:
    # Bytes of an argument that are no UTF-8 come out as \udcXX: so the output is UTF-8, and JSON and YAML stay valid.
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(descriptor, data) :]
