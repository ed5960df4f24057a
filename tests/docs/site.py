"""Reads what tests need of the documents as a built site."""

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from tests.docs.markdown import REPOSITORY


class Page(NamedTuple):
    """What a page refers to, and what can be referred to in it."""

    links: tuple[str, ...]
    """of `a`"""
    loaded: tuple[str, ...]
    """what the browser loads unasked: of `link`, `script`, `img` and the like"""
    anchors: frozenset[str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"id", "name"} and value:
                self.anchors.add(value)
            elif name in {"href", "src", "data"} and value:
                (self.links if tag == "a" else self.loaded).append(value)


def build(output: Path, script: Path = REPOSITORY / "scripts/site") -> None:
    """The site in `output`, by the command that the README has. Raises CalledProcessError with what was said."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    command = [str(script), str(output)]
    subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=600, env={"PATH": path, "LANG": "C.UTF-8"}
    )


def read(page: Path) -> Page:
    """A page of the site."""
    reader = _Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return Page(tuple(reader.links), tuple(reader.loaded), frozenset(reader.anchors))


def broken_links(site: Path) -> Iterator[tuple[str, str]]:
    """Page and link, of each within the site that leads to no file, or to no anchor of its page."""
    pages = {path.resolve(): read(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = pages.get(target)
            if not target.exists() or (there and parts.fragment and unquote(parts.fragment) not in there.anchors):
                yield path.relative_to(site.resolve()).as_posix(), link
