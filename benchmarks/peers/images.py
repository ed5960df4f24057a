"""The Go peers' images as their own Dockerfiles make them, and ours, as a table: how large each is. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.markdown import aligned

HEAD = ("image", "programs", "MiB", "base", "MiB", "sum, MiB", "ours, MiB", "ratio", "ours is smaller")


class Image(NamedTuple):
    """A peer's image: programs on a base."""

    name: str
    programs: tuple[int, ...]
    """all that its Dockerfile installs, each in bytes"""
    base: str
    base_bytes: int | None
    """None: it cannot be had here, and counts for nothing"""

    def counted(self) -> int:
        """Bytes; of an image whose base is not here its programs alone, less than it has."""
        return sum(self.programs) + (self.base_bytes or 0)


def together(name: str, images: Sequence[Image]) -> Image:
    """As if they were one."""
    bases = [image.base_bytes for image in images]
    known = None if None in bases else sum(base or 0 for base in bases)
    return Image(name, tuple(size for image in images for size in image.programs), "theirs", known)


def table(images: Sequence[Image], ours: int) -> str:
    """Markdown. `ours`: the bytes of our image's files."""
    alignment = ["---", "---:", "---:", "---", *["---:"] * 4, "---"]
    return aligned([HEAD, alignment, *(_cells(image, ours) for image in images)])


def _cells(image: Image, ours: int) -> list[str]:
    """Judged by what is counted alone: `no` also where only a base that is not here could make the peer's larger."""
    counted = image.counted()
    base, more, less = ("not here", "> ", "< ") if image.base_bytes is None else (_mib(image.base_bytes), "", "")
    return [
        *(image.name, str(len(image.programs)), _mib(sum(image.programs)), image.base, base),
        *(f"{more}{_mib(counted)}", _mib(ours), f"{less}{ours / counted:.2f}"),
        "yes" if ours < counted else "no",
    ]


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f}"
