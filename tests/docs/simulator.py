"""The tables of docs/simulator.md from the code; `python -m tests.docs.simulator` writes them anew."""

import argparse
import re

from furiosa_npu.simulator.command_line import parser
from furiosa_npu.simulator.fault_values import WIDEST_FUSED
from furiosa_npu.simulator.faults import KINDS, FaultKind
from tests.docs.markdown import REPOSITORY

DOCUMENT = REPOSITORY / "docs/simulator.md"
_EVERYWHERE = ("help", "version", "devfs_root", "sysfs_root")
"""options of every command"""


def command_rows() -> list[list[str]]:
    """Each command with what it takes, in the order of the help."""
    (subcommands,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return [
        [f"`{' '.join([name, *_taken(made)])}`", made.description or ""] for name, made in subcommands.choices.items()
    ]


def _taken(command: argparse.ArgumentParser) -> list[str]:
    words = []
    for action in command._actions:
        if action.dest in _EVERYWHERE:
            continue
        value = str(action.metavar) if action.metavar else "\\|".join(action.choices or ())
        if action.option_strings:
            words.append(f"[{' '.join([action.option_strings[0], *([value] if action.nargs != 0 else [])])}]")
        else:
            words.append({"?": f"[{value}]", "*": f"[{value}...]"}.get(str(action.nargs), value))
    return words


def fault_rows() -> list[list[str]]:
    """Each fault, in the order of the help."""
    return [
        [
            f"`{kind.usage}`",
            _default(kind),
            kind.what,
            f"through a mount of DIR/{kind.through}" if kind.through else "in DIR, and through a mount",
        ]
        for kind in KINDS
    ]


def _default(kind: FaultKind) -> str:
    if kind.name in ("device-file-missing", "hang-open"):
        return ", ".join(f"`{name}` ({family})" for family, name in WIDEST_FUSED.items())
    return f"`{kind.default}`" if kind.default else ""


def rendered(document: str) -> str:
    """The document with the rows of its tables from the code."""
    for heading, rows in (("## Commands", command_rows()), ("## Faults", fault_rows())):
        before, found, after = document.partition(f"{heading}\n")
        table = re.search(r"\n\|.*\n\|[-|]+\n((?:\|.*\n)*)", after)
        if not found or table is None:
            raise ValueError(f"{DOCUMENT}: found no table after {heading!r}")
        lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        document = before + found + after[: table.start(1)] + lines + after[table.end(1) :]
    return document


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
