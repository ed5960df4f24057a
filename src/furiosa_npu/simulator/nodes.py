"""What a driver tree is made of. A tree maps a path below the simulation's folder to one of these.

Paths start with `dev/` (devfs root) or `sys/` (sysfs root), whatever folders those two are in the end.
"""

from typing import NamedTuple


class Text(NamedTuple):
    """A regular file: its whole text and its permission bits."""

    content: str
    mode: int = 0o444


class Link(NamedTuple):
    """A symbolic link, as sysfs makes them: relative to the folder that it stands in."""

    target: str


class Device(NamedTuple):
    """A character device; an empty regular file where the simulation was made with plain files."""

    major: int
    minor: int


class Folder(NamedTuple):
    """A folder that stays though nothing is in it."""


Node = Text | Link | Device | Folder
Tree = dict[str, Node]


def link_between(path: str, target: str) -> Link:
    """The link to put at `path` so that it leads to `target`, both paths of one tree."""
    here, there = path.split("/")[:-1], target.split("/")
    shared = 0
    while shared < min(len(here), len(there) - 1) and here[shared] == there[shared]:
        shared += 1
    return Link("/".join([".."] * (len(here) - shared) + there[shared:]))
