"""What the drivers let one set, and show of it, in their management folders.

A value is checked before it is written, and written with one write(2), as a sysfs attribute wants it.
"""

import errno
import os
from typing import NamedTuple

from furiosa_npu.hardware.driver_file import FileProblem, Files
from furiosa_npu.hardware.families import FAMILIES, TRAITS, Family

PERFORMANCE_MODES = ("LOW", "HALF", "NORMAL 1", "NORMAL 2", "FULL 1", "FULL 2")
"""`performance_mode` by number"""


class Control(NamedTuple):
    """One file of the management folder that can be set."""

    key: str
    """the file's name"""
    readable: bool
    meaning: str
    """for people: what the values are"""
    values: tuple[tuple[str, str], ...]
    """what a person may write (in lower case), and what the driver is given; empty: a whole number, which it judges"""

    def driver_value(self, text: str) -> str | None:
        """What the driver is given for a person's `text`; None: it is none of the values."""
        if not self.values:
            return text if text.isascii() and text.isdigit() and len(text) <= 9 else None
        return dict(self.values).get(text.lower())


def _numbers(count: int) -> tuple[tuple[str, str], ...]:
    return tuple((str(number), str(number)) for number in range(count))


_PERFORMANCE_NAMES = tuple((name.lower(), str(number)) for number, name in enumerate(PERFORMANCE_MODES))

CONTROLS: dict[Family, tuple[Control, ...]] = dict.fromkeys(FAMILIES, ()) | {
    "warboy": (
        Control(
            "performance_mode",
            True,
            "0 low, 1 half, 2 normal 1, 3 normal 2, 4 full 1, 5 full 2",
            _numbers(6) + _PERFORMANCE_NAMES,
        ),
        Control("performance_level", False, "0 to 15", _numbers(16)),
        Control("device_led", False, "0 to 7: red 1, green 2, blue 4, added up", _numbers(8)),
        Control("ne_clock", False, "a number that the driver knows", ()),
        Control(
            "ne_dtm_policy",
            False,
            "0 conservative, 1 on demand",
            (*_numbers(2), ("conservative", "0"), ("on demand", "1")),
        ),
    ),
    "renegade": (
        Control(
            "npu_governor",
            True,
            "performance or powersave",
            (("performance", "performance"), ("powersave", "powersave")),
        ),
    ),
}


class ControlError(Exception):
    """A setting that could not be read or written; says which path, what was found and whose fault it is."""


def control_path(sysfs: str, family: Family, index: int, control: Control) -> str:
    """The file behind the control."""
    return f"{sysfs}/{TRAITS[family].management_folder.format(index=index)}/{control.key}"


def get_control(path: str) -> str | None:
    """The file's text as the driver shows it; None where this driver has no such file. Raises ControlError."""
    try:
        return Files().parsed(path, str, "the driver's setting")
    except FileNotFoundError:
        return None
    except FileProblem as problem:
        raise ControlError(str(problem)) from problem
    except PermissionError as error:
        raise ControlError(f"{path}: {error.strerror}: reading it needs more rights than this user has") from error


def set_control(path: str, value: str) -> None:
    """Writes the driver's `value`. Raises ControlError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise ControlError(f"{path}: {error.strerror}: setting it needs root on the host") from error
    except OSError as error:
        hint = ": setting it needs a writable sysfs, as on the host" if error.errno == errno.EROFS else ""
        raise ControlError(f"{path}: {error.strerror}{hint}") from error
    try:
        os.write(descriptor, f"{value}\n".encode())
    except OSError as error:
        raise ControlError(f"{path}: the driver answered {error.strerror} to {value!r}") from error
    finally:
        os.close(descriptor)
