"""Which commit an upgrade is tried from."""

from pathlib import Path

import pytest

from tests.cluster.commands import run
from tests.cluster.last_release import last_version

_GIT = ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false"]


class Checkout:
    """A repository with a project's number and, once it has one, a chart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet")

    def git(self, *words: str) -> str:
        return run([*_GIT, "-C", str(self.folder), *words]).strip()

    def commit(self, version: str, chart: str = "") -> str:
        (self.folder / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')
        if chart:
            values = self.folder / "kubernetes/charts/furiosa-npu/values.yaml"
            values.parent.mkdir(parents=True, exist_ok=True)
            values.write_text(chart)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={version}")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_newest_tag_before_this_commit_is_the_last_version(checkout: Checkout) -> None:
    """By number; a tag of this commit, one that leads to no commit of ours, and one without a chart, are none."""
    checkout.commit("0.8.0")
    checkout.git("tag", "v0.8.0")
    for version in ("0.9.0", "0.10.0"):
        tagged = checkout.commit(version, chart=version)
        checkout.git("tag", f"v{version}")
    checkout.git("checkout", "--quiet", "-b", "other")
    checkout.commit("1.0.0", chart="other")
    checkout.git("tag", "v1.0.0")
    checkout.git("checkout", "--quiet", "-")
    checkout.commit("0.10.1")
    checkout.git("tag", "v0.10.1")
    checkout.git("tag", "verified")
    assert last_version(checkout.folder) == tagged


def test_a_candidate_comes_before_its_version(checkout: Checkout) -> None:
    """Though its name is longer."""
    checkout.commit("0.9.0", chart="candidate")
    checkout.git("tag", "v0.9.0-rc1")
    tagged = checkout.commit("0.9.0", chart="version")
    checkout.git("tag", "v0.9.0")
    checkout.commit("0.9.1")
    assert last_version(checkout.folder) == tagged


def test_without_tags_it_is_what_came_before_the_number_changed(checkout: Checkout) -> None:
    """The commits after that are of this version."""
    checkout.commit("0.1.0", chart="first")
    last = checkout.commit("0.1.0", chart="second")
    checkout.commit("0.2.0")
    checkout.commit("0.2.0", chart="third")
    assert last_version(checkout.folder) == last


def test_without_an_older_version_with_a_chart_it_is_the_commit_itself(checkout: Checkout) -> None:
    """As in a copy that has one commit for all that was done."""
    checkout.commit("0.1.0")
    head = checkout.commit("0.2.0", chart="first")
    assert last_version(checkout.folder) == head
