"""Reads what tests need of a Markdown file: fenced code blocks and tables (GitHub Flavored Markdown, 4.5 and 4.10)."""

import re
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
ENGLISH, KOREAN = (REPOSITORY / name for name in ("README.md", "README.ko.md"))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)
_PROGRAM = re.compile(
    r"(buildah|ctr|furiosactl|furiosa-npu-[\w-]+|fuser|fusermount3|grep|helm|kubectl|pip|podman|promtool|pytest|python3?"
    r"|ruff) |scripts/\w+"
)
"""with which a command begins"""


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


def shown(document: Path) -> list[str]:
    """Every command of a page: lines of its code blocks, fenced or indented, then what its text has between backticks.

    Lines after one that changes the folder begin with that. Two words in the text (`helm uninstall`) are the name
    of a command alone.
    """
    fenced = [block.text for block in blocks(document) if block.language in {"", "sh"}]
    found = [command for block in (*fenced, *_indented(document)) for command in _commands(block)]
    return found + [span for span in _in_text(document) if _PROGRAM.match(span) and len(span.split()) > 2]


def spans(document: Path) -> list[str]:
    """All that is set as code: lines of blocks, and what the text has between backticks."""
    shown_apart = [block.text for block in blocks(document)] + _indented(document)
    lines = [line for block in shown_apart for line in block.splitlines()]
    return lines + _in_text(document)


def _indented(document: Path) -> list[str]:
    return _INDENTED.findall(_FENCE.sub("", document.read_text(encoding="utf-8")))


def _in_text(document: Path) -> list[str]:
    """One that goes over the end of a line with one space there."""
    text = _INDENTED.sub("\n", _FENCE.sub("", document.read_text(encoding="utf-8")))
    paragraphs = re.split(r"\n\s*\n|\n(?=[|*#\d])", text)
    return [" ".join(span.split()) for paragraph in paragraphs for span in code(paragraph)]


def _commands(block: str) -> list[str]:
    found, folder = [], ""
    for line in re.sub(r"\\\n *", "", block).splitlines():
        command = line.strip()
        if command.startswith("cd "):
            folder = f"{command} && "
        elif _PROGRAM.match(command):
            found.append(folder + command)
    return found


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
