"""How an agent declares its options, and how one option's text or YAML value becomes a checked value. Pure.

An option is declared once; the command line, the environment, the configuration file and `--help` all follow from that.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from furiosa_npu.agent.address import Address, parse_address

Kind = Literal["string", "int", "bool", "list", "choice", "host:port"]

Value = str | int | bool | tuple[str, ...] | Address | None
"""string, choice: str or None; int: int; bool: bool; list: a tuple of texts; host:port: Address, None for none."""


class Option(NamedTuple):
    """One option of an agent, e.g. `--rescan-seconds`."""

    name: str
    """the long option without its dashes"""
    kind: Kind
    default: Value
    help: str
    """what it is, in which unit, and why this default"""
    env: tuple[str, ...] = ()
    """environment variables, the first that is set and not empty counts"""
    choices: tuple[str, ...] = ()
    """for kind choice"""
    minimum: int | None = None
    """for kind int"""
    maximum: int | None = None
    """for kind int"""
    accepts: Callable[[str], bool] | None = None
    """for kinds string and list: whether this text will do; or raises ValueError, whose text says what would instead"""
    expected: str = ""
    """with `accepts`: what would do, for the error's text where `accepts` says nothing of its own"""

    @property
    def field(self) -> str:
        """The name in the settings object: `rescan_seconds`."""
        return self.name.replace("-", "_")

    @property
    def key(self) -> str:
        """The name in the configuration file: `rescanSeconds`."""
        first, *others = self.name.split("-")
        return first + "".join(word.capitalize() for word in others)

    @property
    def placeholder(self) -> str:
        """What `--help` shows in the value's place."""
        if self.kind == "choice":
            return "|".join(self.choices)
        return {"int": "NUMBER", "bool": "on|off", "host:port": "HOST:PORT"}.get(self.kind, "TEXT")


class EntryError(ValueError):
    """One entry of a list will not do; the text says what is expected."""

    def __init__(self, entry: object, expected: str) -> None:
        super().__init__(expected)
        self.entry = entry


Values = Mapping[str, Value]
"""`Option.field` to value"""


def describe(option: Option) -> str:
    """What the option takes, for an error's `expected`."""
    if option.expected:
        return option.expected
    if option.kind == "choice":
        return " or ".join(option.choices)
    if option.kind == "int":
        if option.minimum is not None and option.maximum is not None:
            return f"a whole number from {option.minimum} to {option.maximum}"
        return "a whole number" + (f", {option.minimum} or more" if option.minimum is not None else "")
    return {"bool": "on or off", "list": "a list of texts", "host:port": "HOST:PORT"}.get(option.kind, "a text")


def from_text(option: Option, text: str) -> Value:
    """The value that a command line or an environment variable means; of a list: one of its entries, or several with
    commas between.

    Empty stands for "none" where none is a possible value (an address; a text whose default is none).
    Raises ValueError, whose text says what is expected.
    """
    if option.kind == "int":
        digits = text[1:] if text.startswith("-") else text
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
            raise ValueError(describe(option))
        return _in_range(option, int(text))
    if option.kind == "bool":
        if text not in ("on", "off"):
            raise ValueError(describe(option))
        return text == "on"
    if option.kind == "list":
        return tuple(_accepted(option, entry.strip()) for entry in text.split(","))
    return _from_plain_text(option, text)


def from_yaml(option: Option, value: object) -> Value:
    """The value that a configuration file means: types have to be right, a number is no text.

    Raises ValueError, whose text says what is expected, and EntryError.
    """
    if option.kind == "bool":
        if isinstance(value, bool):
            return value
    elif option.kind == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            return _in_range(option, value)
    elif option.kind == "list":
        if isinstance(value, list):
            return tuple(_entry(option, entry) for entry in value)
        raise ValueError("a list of texts" + (f", each {option.expected}" if option.expected else ""))
    elif isinstance(value, str):
        return _from_plain_text(option, value)
    raise ValueError(describe(option))


def _from_plain_text(option: Option, text: str) -> Value:
    if option.kind == "host:port":
        return parse_address(text) if text else None
    if option.kind == "choice":
        if text not in option.choices:
            raise ValueError(describe(option))
        return text
    if not text and option.default is None:
        return None
    return _accepted(option, text)


def _entry(option: Option, entry: object) -> str:
    if not isinstance(entry, str) or not entry:
        raise EntryError(entry, option.expected or "a text that is not empty")
    try:
        return _accepted(option, entry)
    except ValueError as error:
        raise EntryError(entry, str(error)) from error


def _accepted(option: Option, text: str) -> str:
    if not text or "\0" in text or (option.accepts is not None and not option.accepts(text)):
        raise ValueError(describe(option))
    return text


def _in_range(option: Option, number: int) -> int:
    too_small = option.minimum is not None and number < option.minimum
    too_large = option.maximum is not None and number > option.maximum
    if too_small or too_large:
        raise ValueError(describe(option))
    return number
