"""What takes minutes to make is made once and kept outside the repository, in folders named after their inputs.

`${FURIOSA_NPU_CACHE:-/var/cache/furiosa-npu}/<thing>-<hash of its inputs>/`. A folder is filled beside its place and
renamed, so that what is there is whole; a lock makes a second test run wait instead of building the same thing.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_DIGITS = 16
_KEPT = 3


def cache_folder() -> Path:
    return Path(os.environ.get("FURIOSA_NPU_CACHE", "/var/cache/furiosa-npu"))


def say(text: str) -> None:
    """Progress for whoever waits: one line, at once, on the standard error that the process was started with."""
    os.write(_said_on[-1], f"[cluster] {text}\n".encode())


def say_on(descriptor: int) -> None:
    """From now on `say` writes to a duplicate of this descriptor, whatever becomes of the number (pytest's capture)."""
    _said_on.append(os.dup(descriptor))


_said_on = [2]


def digest(inputs: Mapping[str, object]) -> str:
    """Sixteen hexadecimal digits that stand for the inputs: the same inputs, the same digits, on each machine."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def digest_of_files(root: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The content of files and folders under a root, as inputs for `digest`; bytecode does not count."""
    contents: dict[str, str] = {}
    for name in names:
        place = root / name
        for file in sorted([place] if place.is_file() else place.rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                contents[str(file.relative_to(root))] = hashlib.sha256(file.read_bytes()).hexdigest()
    return contents


def cached(thing: str, inputs: Mapping[str, object], make: Callable[[Path], None]) -> Path:
    """The folder with the thing; made by `make(empty folder)` where it is not there yet."""
    place = cache_folder() / f"{thing}-{digest(inputs)}"
    if place.is_dir():
        os.utime(place)  # its last use
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(place.parent / f".{thing}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.is_dir():
            return place
        for leftover in place.parent.glob(f".making-{thing}-*"):  # ours alone: the lock is held
            shutil.rmtree(leftover)
        making = Path(tempfile.mkdtemp(prefix=f".making-{thing}-", dir=place.parent))
        making.chmod(0o755)
        say(f"{thing}: making it")
        started = time.monotonic()
        make(making)
        (making / "inputs.json").write_text(json.dumps(inputs, indent=1, sort_keys=True) + "\n")
        making.rename(place)
        made = sorted(place.parent.glob(f"{thing}-{'?' * _DIGITS}"), key=lambda folder: folder.stat().st_mtime)
        for old in made[:-_KEPT]:  # by their last use: another run may be at work with the one before
            shutil.rmtree(old)
        say(f"{thing}: made in {time.monotonic() - started:.0f} s")
    return place
