"""furiosactl's command line: words in, a `Command` or a `UsageError` out. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from furiosa_npu.hardware.reading import Roots

Format = Literal["table", "json", "yaml"]

COMMANDS = ("version", "list", "info", "config")
FORMATS: tuple[Format, ...] = ("table", "json", "yaml")

_WITH_VALUE = ("--devfs-root", "--sysfs-root", "--format")
_FLAGS = ("--help", "-h", "--version", "--full")
_ONLY_FOR = {"--format": ("list", "info"), "--full": ("info",)}


class UsageError(Exception):
    """Wrong use: what was found and what was expected."""


class Command(NamedTuple):
    """What is to be done."""

    name: str
    """a command, or `help`"""
    words: tuple[str, ...]
    """after the command's name; after `help` the command that is asked about, if any"""
    roots: Roots
    format: Format
    full: bool


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Command:
    """`arguments` without the program's name; options stand before or after the command. Raises UsageError."""
    words, values, flags = _sorted_out(arguments)
    roots = Roots(
        values.get("--devfs-root") or environment.get("FURIOSA_DEVFS_ROOT") or "/dev",
        values.get("--sysfs-root") or environment.get("FURIOSA_SYSFS_ROOT") or "/sys",
    )
    output = values.get("--format", "table")
    if output not in FORMATS:
        raise UsageError(f"--format: found {output}, expected {', '.join(FORMATS)}")
    name = words.pop(0) if words else ("version" if "--version" in flags else "help")
    if name not in (*COMMANDS, "help"):
        raise UsageError(f"unknown command {name}, expected one of {', '.join(COMMANDS)}")
    if "--help" in flags or "-h" in flags:
        return Command("help", () if name == "help" else (name,), roots, output, full=False)
    if "--version" in flags:
        return Command("version", (), roots, output, full=False)
    for option, commands in _ONLY_FOR.items():
        if (option in values or option in flags) and name not in commands:
            raise UsageError(f"{option}: found with {name}, expected with {' or '.join(commands)}")
    if name == "version" and words:
        raise UsageError(f"version: found {' '.join(words)}, expected no more words")
    if name == "help" and (len(words) > 1 or (words and words[0] not in COMMANDS)):
        raise UsageError(f"help: found {' '.join(words)}, expected one of {', '.join(COMMANDS)}")
    return Command(name, tuple(words), roots, output, full="--full" in flags)


def _sorted_out(arguments: Sequence[str]) -> tuple[list[str], dict[str, str], set[str]]:
    """Words, options with their values, and flags; of an option given twice the last value counts."""
    words: list[str] = []
    values: dict[str, str] = {}
    flags: set[str] = set()
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            words += rest
        elif not word.startswith("-") or word == "-":
            words.append(word)
        elif word in _FLAGS:
            flags.add(word)
        elif name in _FLAGS:
            raise UsageError(f"{name}: found a value after it, expected none")
        elif name not in _WITH_VALUE:
            raise UsageError(f"unknown option {name}, expected one of {', '.join((*_WITH_VALUE, *_FLAGS))}")
        else:
            following = value if equals else next(rest, None)
            if not following:
                raise UsageError(f"{name}: found nothing after it, expected a value")
            values[name] = following
    return words, values, flags
