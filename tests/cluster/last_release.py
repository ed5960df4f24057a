"""The product as it was at the last version: the tree of the newest tag that this checkout comes from."""

import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.cluster import images
from tests.cluster.cache import cached, say
from tests.cluster.commands import CommandFailed, run
from tests.cluster.product import IMAGE_INPUTS, REPOSITORY

_CHART = "kubernetes/charts/furiosa-npu"


class LastRelease(NamedTuple):
    """Image and chart of one commit."""

    tree: Path
    is_this_commit: bool

    @property
    def version(self) -> str:
        """The project's number."""
        return str(tomllib.loads((self.tree / "pyproject.toml").read_text())["project"]["version"])

    @property
    def chart(self) -> Path:
        return self.tree / _CHART

    @property
    def image(self) -> str:
        """As its chart names it."""
        return f"furiosa-npu:{self.version}"

    def archive(self) -> Path:
        """A docker archive with the image, from the cache or built."""
        inputs = tuple(name for name in IMAGE_INPUTS if (self.tree / name).exists())
        return images.product(self.tree, self.image, inputs, "amd64", times=1, thing="image-last-release").archive


def last_release() -> LastRelease:
    """Raises CommandFailed where this is no git checkout, AssertionError where the tag has no chart.

    Without a tag it is the last commit: an upgrade is then tried from the same product, and that is said.
    """
    git = ["git", "-C", str(REPOSITORY)]
    try:
        name = run([*git, "describe", "--tags", "--abbrev=0", "--match=v*"]).strip()
    except CommandFailed:
        name = "HEAD"
        say("no git tag v* leads to this commit: upgrades are tried from the commit itself (HEAD), not from a version")
    commit, head = (run([*git, "rev-parse", f"{one}^{{commit}}"]).strip() for one in (name, "HEAD"))

    def make(folder: Path) -> None:
        archive = folder / "tree.tar"
        run([*git, "archive", f"--output={archive}", commit])
        (folder / "tree").mkdir()
        run(["tar", "--extract", f"--file={archive}", f"--directory={folder / 'tree'}"])
        archive.unlink()

    found = LastRelease(cached("last-release", {"commit": commit}, make) / "tree", commit == head)
    assert found.chart.is_dir(), f"git tag {name}: found no {_CHART}, expected the chart of a version"
    return found
