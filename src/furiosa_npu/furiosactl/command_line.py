"""furiosactl's command line: words in, a `Command` or a `UsageError` out. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from furiosa_npu.hardware.reading import Roots

Format = Literal["table", "json", "yaml"]

COMMANDS = ("version", "list", "info", "config")
FORMATS: tuple[Format, ...] = ("table", "json", "yaml")


class UsageError(Exception):
    """Wrong use: what was found and what was expected."""


class Command(NamedTuple):
    """What is to be done."""

    name: str
    """a command, or `help`"""
    words: tuple[str, ...]
    """after the command's name"""
    roots: Roots
    format: Format
    full: bool
    help: bool
    """--help stood after the command's name"""


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Command:
    """`arguments` without the program's name; options stand before or after the command. Raises UsageError."""
    values: dict[str, str] = {}
    flags: set[str] = set()
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            words += rest
        elif word in ("--help", "-h", "--version", "--full"):
            flags.add("--help" if word == "-h" else word)
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            if name not in ("--devfs-root", "--sysfs-root", "--format"):
                raise UsageError(f"unknown option {name}, expected --devfs-root, --sysfs-root, --format or --full")
            following = value if equals else next(rest, None)
            if not following:
                raise UsageError(f"{name}: found nothing after it, expected a value")
            values[name] = following
        elif word.startswith("-") and word != "-":
            raise UsageError(f"unknown option {word}; furiosactl --help shows the commands")
        else:
            words.append(word)
    name = words.pop(0) if words else ("version" if "--version" in flags else "help")
    if name != "help" and name not in COMMANDS:
        raise UsageError(f"unknown command {name}, expected one of {', '.join(COMMANDS)}")
    output = values.get("--format", "table")
    if output not in FORMATS:
        raise UsageError(f"--format: found {output}, expected {', '.join(FORMATS)}")
    roots = Roots(
        values.get("--devfs-root") or environment.get("FURIOSA_DEVFS_ROOT") or "/dev",
        values.get("--sysfs-root") or environment.get("FURIOSA_SYSFS_ROOT") or "/sys",
    )
    return Command(name, tuple(words), roots, output, "--full" in flags, "--help" in flags)
