"""Carries a rendered tree to the disk: only what differs, in the order in which a driver does it.

What comes: files, then the links by which they are found, then device files. What goes: the other way round. Files
are written beside and renamed, so that a reader sees the old text or the new one and never a half.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Collection, Iterable

from furiosa_npu.hardware.reading import Roots
from furiosa_npu.simulator.nodes import Device, Folder, Link, Node, Text, Tree

DEVICE_MODE = 0o666
_ORDER = (Folder, Text, Link, Device)


def apply(before: Tree, after: Tree, roots: Roots, plain_files: bool, changed_by_others: Collection[str] = ()) -> None:
    """Make the tree `after` of what was written as `before`; what others put beside it is left alone.

    `changed_by_others`: paths that do not read as `before` has them any more and are written in any case.
    """
    gone = [path for path in before if path not in after]
    for path in sorted(gone, key=lambda p: (-_rank(before[p]), p)):
        if not isinstance(before[path], Folder):
            _remove(place(path, roots))
    _prune(gone, after, roots)
    come = [path for path, node in after.items() if before.get(path) != node or path in changed_by_others]
    for path in sorted(come, key=lambda p: (_rank(after[p]), p)):
        where = place(path, roots)
        if path in before and path not in changed_by_others and not os.path.isdir(os.path.dirname(where)):
            continue  # somebody took the whole folder away to see what happens: it stays away
        _write(where, after[path], roots, plain_files)


def refuse_strangers(before: Tree, after: Tree, roots: Roots) -> None:
    """Raises `FileExistsError` where a file in the way is not of `before`: a recording, somebody's own tree."""
    for path, node in after.items():
        where = place(path, roots)
        if path not in before and not isinstance(node, Folder) and os.path.lexists(where):
            raise FileExistsError(errno.EEXIST, "not made by a simulation, expected a folder without it", where)


def make_devices(folder: str) -> bool:
    """Whether this process may make character devices here: tried, since root in a container may lack the right."""
    trial = os.path.join(folder, ".device-trial")
    try:
        os.mknod(trial, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        return False
    os.unlink(trial)
    return True


def _rank(node: Node) -> int:
    return _ORDER.index(type(node))


def place(path: str, roots: Roots) -> str:
    """Where a path of the tree lies on the disk."""
    root, _, rest = path.partition("/")
    base = roots.devfs if root == "dev" else roots.sysfs
    return f"{base}/{rest}" if rest else base


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # somebody who plays with the tree was faster: it is gone, as wanted
        os.unlink(path)


def _prune(gone: Iterable[str], after: Tree, roots: Roots) -> None:
    """Folders that have become empty go too, except those that `after` wants."""
    wanted = {folder for path in after for folder in (path, *_folders(path))} | {"dev", "sys"}
    empty = {folder for path in gone for folder in _folders(path)} - wanted
    for folder in sorted(empty, key=lambda path: -path.count("/")):
        try:
            os.rmdir(place(folder, roots))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):  # ENOTEMPTY: somebody else's file is in it
                raise


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def _write(path: str, node: Node, roots: Roots, plain_files: bool) -> None:
    if isinstance(node, Folder):
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if isinstance(node, Text):
        _write_text(path, node, roots)
        return
    _remove(path)
    if isinstance(node, Link):
        os.symlink(node.target, path)
    elif plain_files:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.chmod(path, DEVICE_MODE)
    else:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(node.major, node.minor))
        os.chmod(path, DEVICE_MODE)


def _write_text(path: str, node: Text, roots: Roots) -> None:
    beside = f"{roots.sysfs}/.being-written"
    with open(beside, "w", encoding="utf-8") as file:
        file.write(node.content)
        os.fchmod(file.fileno(), node.mode)
    os.replace(beside, path)
