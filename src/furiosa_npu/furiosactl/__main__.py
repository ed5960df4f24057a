"""`furiosactl`: the entry point, of the pip-installed command and of the static executable."""

import os
import sys
from collections.abc import Mapping, Sequence

from furiosa_npu import __version__
from furiosa_npu.furiosactl.command_line import Command, UsageError, parse
from furiosa_npu.furiosactl.config import config
from furiosa_npu.furiosactl.device_folders import unseen
from furiosa_npu.furiosactl.documents import info_document, list_document, to_json, to_yaml
from furiosa_npu.furiosactl.help_text import COMMAND_HELP, HELP
from furiosa_npu.furiosactl.output import Output, write_out
from furiosa_npu.furiosactl.selection import select, shown
from furiosa_npu.furiosactl.status import failures
from furiosa_npu.furiosactl.tables import info_table, list_table
from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.reading import Reading


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> Output:
    """What is to be said. Exit codes: 0, 1 for a failure at work, 2 for wrong use."""
    try:
        command = parse(arguments, environment)
    except UsageError as error:
        return Output("", (str(error),), 2)
    if command.name == "help":
        return Output(COMMAND_HELP[command.words[0]] if command.words else HELP)
    if command.name == "version":
        return Output(f"furiosactl {__version__}\n")
    return _about_cards(command)


def _about_cards(command: Command) -> Output:
    hidden = unseen(command.roots.devfs)
    cards = shown(read_cards(command.roots))
    try:
        if command.name == "config":
            output = config(cards, command.roots.sysfs, command.words)
        else:
            output = _shown(command, select(cards, command.words))
    except UsageError as error:
        output = Output("", (str(error),), 2)
    if hidden:
        return Output(output.text, (*hidden, *output.complaints), output.exit_code or 1)
    return output


def _shown(command: Command, cards: Sequence[Reading]) -> Output:
    """A failed card is a row like the others; why it failed has no column: it is said on standard error."""
    if command.format == "table":
        table = list_table(cards) if command.name == "list" else info_table(cards, full=command.full)
        return Output(table, failures(cards))
    document = list_document(cards) if command.name == "list" else info_document(cards)
    return Output(to_json(document) if command.format == "json" else to_yaml(document))


def main() -> None:
    """Ends the process with the command's exit code.

    An interpreter whose locale or PYTHONUTF8=0 made it take arguments and paths for another encoding than UTF-8 is
    started anew as one that does not. The static executable's never is such a one.
    """
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  # our own words
    raise SystemExit(write_out(run(sys.argv[1:], os.environ)))


if __name__ == "__main__":
    main()
