"""The product as it was at the last version: the newest tag that this checkout comes from, or what its history says."""

import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.cluster import images
from tests.cluster.cache import cached, say
from tests.cluster.commands import CommandFailed, run
from tests.cluster.product import IMAGE_INPUTS, REPOSITORY

_CHART = "kubernetes/charts/furiosa-npu"
_NUMBER = "pyproject.toml"


class LastRelease(NamedTuple):
    """Image and chart of one commit."""

    tree: Path
    is_this_commit: bool

    @property
    def version(self) -> str:
        """The project's number."""
        return str(tomllib.loads((self.tree / _NUMBER).read_text())["project"]["version"])

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


def last_version(repository: Path) -> str:
    """The commit of the last version before this commit that has a chart: by its tag; in a copy without tags, what came
    before the number changed; and HEAD itself in one without that history. Raises CommandFailed where this is no git
    checkout."""
    git = ["git", "-C", str(repository), "-c", "versionsort.suffix=-"]
    head = run([*git, "rev-parse", "HEAD"]).strip()
    named = run([*git, "tag", "--list", "v[0-9]*", "--merged=HEAD", "--sort=-version:refname"]).split()
    changed = run([*git, "log", "--format=%H^", "-G^version = ", "--", _NUMBER]).split()
    for name in [*named, *changed]:
        try:
            run([*git, "rev-parse", "--verify", "--quiet", f"{name}:{_CHART}"])
        except CommandFailed:
            continue
        commit = run([*git, "rev-parse", f"{name}^{{commit}}"]).strip()
        if commit != head:
            return commit
    return head


def last_release() -> LastRelease:
    """Raises CommandFailed where this is no git checkout, AssertionError where the last commit has no chart.

    Without a version before this one, an upgrade is tried from the same product, and that is said.
    """
    git = ["git", "-C", str(REPOSITORY)]
    commit, head = last_version(REPOSITORY), run([*git, "rev-parse", "HEAD"]).strip()
    if commit == head:
        say("no older version leads to this commit: upgrades are tried from HEAD itself, not from a version")

    def make(folder: Path) -> None:
        archive = folder / "tree.tar"
        run([*git, "archive", f"--output={archive}", commit])
        (folder / "tree").mkdir()
        run(["tar", "--extract", f"--file={archive}", f"--directory={folder / 'tree'}"])
        archive.unlink()

    found = LastRelease(cached("last-release", {"commit": commit}, make) / "tree", commit == head)
    assert found.chart.is_dir(), f"commit {commit}: found no {_CHART}, expected the chart of a version"
    return found
