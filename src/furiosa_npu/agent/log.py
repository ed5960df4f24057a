"""Log lines to stderr: text for people or one JSON object a line, with UTC time. `logging` costs 1.5 MiB resident.

    2026-01-31T09:30:00.125Z info label written node=warboy-node01
    {"time":"2026-01-31T09:30:00.125Z","level":"info","message":"label written","node":"warboy-node01"}

An entry is always one line: what has line breaks or control characters in it is written escaped.
"""

import os
import time
from collections.abc import Callable
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")

Field = str | int | float | bool | None


class Log:
    """An agent's log. Writing never raises: a stderr that is gone must not end an agent that serves a node."""

    def __init__(
        self,
        format: str = "text",
        level: str = "info",
        write: Callable[[str], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`format` text or json, `level` one of LEVELS; `write` takes whole lines, `clock` gives seconds since 1970."""
        self._render = _json_line if format == "json" else _text_line
        self._threshold = LEVELS.index(_level(level))
        self._write = write or _to_stderr
        self._clock = clock

    def debug(self, message: str, **fields: Field) -> None:
        self.entry("debug", message, fields)

    def info(self, message: str, **fields: Field) -> None:
        self.entry("info", message, fields)

    def warning(self, message: str, **fields: Field) -> None:
        self.entry("warning", message, fields)

    def error(self, message: str, **fields: Field) -> None:
        self.entry("error", message, fields)

    def entry(self, level: Level, message: str, fields: dict[str, Field]) -> None:
        """One entry, where the level is a value."""
        if LEVELS.index(level) >= self._threshold:
            self._write(self._render(rfc3339(self._clock()), level, message, fields))


def rfc3339(seconds: float) -> str:
    """UTC, to the millisecond: `2026-01-31T09:30:00.125Z` (RFC 3339). `seconds` since 1970."""
    milliseconds = int(seconds * 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000)) + f".{milliseconds % 1000:03d}Z"


def _text_line(moment: str, level: str, message: str, fields: dict[str, Field]) -> str:
    words = [moment, level, _printable(message)]
    words += [f"{name}={_text_value(value)}" for name, value in fields.items()]
    return " ".join(words) + "\n"


def _json_line(moment: str, level: str, message: str, fields: dict[str, Field]) -> str:
    import json  # resident memory: text is the default

    entry: dict[str, Field] = {"time": moment, "level": level, "message": message}
    for name, value in fields.items():
        entry[f"{name}_" if name in ("time", "level", "message") else name] = value
    return json.dumps(entry, separators=(",", ":")) + "\n"


def _text_value(value: Field) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    plain = text.isprintable() and text and not any(character in text for character in ' "=\\')
    return text if plain else '"' + _printable(text).replace('"', '\\"') + '"'


def _printable(text: str) -> str:
    """Backslashes and whatever would break or forge a line, escaped."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        "\\\\" if character == "\\" else character if character.isprintable() else ascii(character)[1:-1]
        for character in text
    )


def _level(level: str) -> Level:
    for known in LEVELS:
        if known == level:
            return known
    raise ValueError(f"found the log level '{level}', expected one of {', '.join(LEVELS)}")


def _to_stderr(line: str) -> None:
    try:
        os.write(2, line.encode("utf-8", "backslashreplace"))
    except OSError:
        return
