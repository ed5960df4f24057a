"""An agent's command line: long options before or after a subcommand. Pure; `argparse` costs 1.2 MiB resident here."""

from typing import NamedTuple

from furiosa_npu.agent.options import Option, Value, from_text


class SettingsError(Exception):
    """Wrong use: one sentence that names what was read, what was found and what was expected."""


class Subcommand(NamedTuple):
    """A word after the program's name, e.g. `cleanup`."""

    name: str
    help: str


class Program(NamedTuple):
    """What a program calls itself, and everything its command line takes."""

    name: str
    version: str
    summary: str
    options: tuple[Option, ...]
    subcommands: tuple[Subcommand, ...] = ()


class CommandLine(NamedTuple):
    """What the words after the program's name say."""

    subcommand: str | None
    values: dict[str, Value]
    """`Option.field` to value, only what was given"""
    config: str | None
    """`--config`'s file"""
    wanted: str | None
    """`help` or `version`: then nothing else counts"""


def parse_command_line(program: Program, arguments: tuple[str, ...]) -> CommandLine:
    """`--name value` or `--name=value`; a list option adds up, of any other the last one counts.

    Raises SettingsError.
    """
    options = {option.name: option for option in program.options}
    subcommand: str | None = None
    config: str | None = None
    values: dict[str, Value] = {}
    words = iter(arguments)
    for word in words:
        if word in ("--help", "-h"):
            return CommandLine(None, {}, None, "help")
        if word == "--version":
            return CommandLine(None, {}, None, "version")
        if not word.startswith("-"):
            subcommand = _subcommand(program, subcommand, word)
            continue
        name, equals, text = word[2:].partition("=") if word.startswith("--") else (word, "", "")
        if name not in options and name != "config":
            raise SettingsError(f"{word}: unknown option; {program.name} --help lists the options")
        if not equals:
            following = next(words, None)
            if following is None or following.startswith("--"):
                found = "nothing" if following is None else f"the option {following}"
                raise SettingsError(f"--{name}: found {found} after it, expected a value (--{name}=VALUE takes any)")
            text = following
        if name == "config":
            if not text:
                raise SettingsError("--config: found an empty text, expected the path of a YAML file")
            config = text
            continue
        option = options[name]
        values[option.field] = _joined(option, values.get(option.field), checked(option, text, f"--{name}"))
    return CommandLine(subcommand, values, config, None)


def checked(option: Option, text: str, where: str) -> Value:
    """`from_text`, whose error names where the text stood. Raises SettingsError."""
    try:
        return from_text(option, text)
    except ValueError as error:
        found = f"'{text}'" if text else "an empty text"
        raise SettingsError(f"{where}: found {found}, expected {error}") from None


def _joined(option: Option, earlier: Value, value: Value) -> Value:
    if option.kind == "list" and isinstance(earlier, tuple) and isinstance(value, tuple):
        return tuple(str(entry) for entry in (*earlier, *value))
    return value


def _subcommand(program: Program, earlier: str | None, word: str) -> str:
    names = [subcommand.name for subcommand in program.subcommands]
    if earlier is None and word in names:
        return word
    expected = "nothing after it" if earlier else (" or ".join(names) + " or an option" if names else "options only")
    raise SettingsError(f"found the word '{word}', expected {expected}")
