"""Reads what tests need of a Markdown file: fenced code blocks and tables (GitHub Flavored Markdown, 4.5 and 4.10)."""

import re
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
ENGLISH, KOREAN = (REPOSITORY / name for name in ("README.md", "README.ko.md"))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    language: str
    """as after the opening fence; empty where none is named"""
    text: str


def blocks(document: Path) -> list[Block]:
    """Fenced code blocks, in order."""
    return [Block(*found) for found in _FENCE.findall(document.read_text(encoding="utf-8"))]


def commands(document: Path) -> list[str]:
    """The lines of all shell blocks, in order."""
    return [line for block in blocks(document) if block.language == "sh" for line in block.text.splitlines()]


def tables(document: Path) -> list[list[list[str]]]:
    """Each table as rows of cells, its header first, without the rule under it."""
    found: list[list[list[str]]] = [[]]
    for line in _FENCE.sub("", document.read_text(encoding="utf-8")).splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [[table[0], *table[2:]] for table in found if table]


def code(cell: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)
