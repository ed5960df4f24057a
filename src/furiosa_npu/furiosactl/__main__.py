"""`furiosactl`: the entry point, of the pip-installed command and of the static executable."""

import os
import sys
from collections.abc import Mapping, Sequence

from furiosa_npu import __version__
from furiosa_npu.furiosactl.command_line import Command, UsageError, parse
from furiosa_npu.furiosactl.config import config
from furiosa_npu.furiosactl.documents import info_document, list_document, to_json, to_yaml
from furiosa_npu.furiosactl.help_text import COMMAND_HELP, HELP
from furiosa_npu.furiosactl.selection import select, shown
from furiosa_npu.furiosactl.tables import info_table, list_table
from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.controls import ControlError


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """What is printed. Raises UsageError, ControlError."""
    command = parse(arguments, environment)
    if command.name == "help" or (command.help and command.name not in COMMAND_HELP):
        return HELP
    if command.help:
        return COMMAND_HELP[command.name]
    if command.name == "version":
        return f"furiosactl {__version__}\n"
    return _about_cards(command)


def _about_cards(command: Command) -> str:
    cards = shown(read_cards(command.roots))
    if command.name == "config":
        return config(cards, command.roots.sysfs, command.words)
    chosen = select(cards, command.words)
    if command.format == "table":
        return list_table(chosen) if command.name == "list" else info_table(chosen, full=command.full)
    document = list_document(chosen) if command.name == "list" else info_document(chosen)
    return to_json(document) if command.format == "json" else to_yaml(document)


def main() -> None:
    """Exit codes: 0, 1 for a failure at work, 2 for wrong use."""
    raise SystemExit(_main(sys.argv[1:], os.environ))


def _main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    try:
        text = run(arguments, environment)
    except UsageError as error:
        _write(2, f"furiosactl: {error}\n")
        return 2
    except ControlError as error:
        _write(2, f"furiosactl: {error}\n")
        return 1
    try:
        _write(1, text)
    except BrokenPipeError:
        return 1  # whoever read it has gone: nobody is there to be told
    except OSError as error:
        _write(2, f"furiosactl: standard output: {error.strerror}\n")
        return 1
    return 0


def _write(descriptor: int, text: str) -> None:
    """UTF-8, whatever locale and environment say."""
    data = text.encode("utf-8", "surrogateescape")
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    main()
