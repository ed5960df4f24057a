"""Where a release's programs are: in folders that somebody names, else in the cache, built where they are not yet."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.cluster.commands import CommandFailed, run
from tests.cluster.releases import RELEASES, Component, Release

VARIABLE = "FURIOSA_NPU_KUBERNETES_BINARIES"
"""folders separated by colons, for whoever gives no option"""


class UnusableFolder(Exception):
    """A folder that was named does not hold what it has to; the message says which and what."""


def folders_of(words: str) -> list[Path]:
    """`/a:/b` as it stands in VARIABLE."""
    return [Path(word).absolute() for word in words.split(":") if word]


def program_folders(
    release: Release, named: Iterable[Path] = (), known: Sequence[Release] = RELEASES
) -> tuple[Path, ...]:
    """The folders with the programs of all its components, Kubernetes' own first.

    A named folder serves the release of which its kubelet is. What it lacks of the other components is built. Raises
    UnusableFolder.
    """
    given = next((folder for folder in named if release_in(folder, known) is release), None)
    return tuple(component.folder() if given is None else _given(component, given) for component in release.components)


def release_in(folder: Path, known: Sequence[Release] = RELEASES) -> Release:
    """The release whose kubelet lies in a folder. Raises UnusableFolder."""
    try:
        said = run([str(folder / "kubelet"), "--version"]).strip()
    except (OSError, CommandFailed) as problem:
        raise UnusableFolder(
            f"{folder}: expected Kubernetes' programs, but its kubelet does not run: {problem}"
        ) from None
    number = re.sub(r"^Kubernetes v", "", said)
    for release in known:
        if release.number == number:
            return release
    numbers = ", ".join(release.number for release in known)
    raise UnusableFolder(f"{folder}: its kubelet says {said!r}, expected one of {numbers}")


def _given(component: Component, folder: Path) -> Path:
    lacking = [program for program in component.programs if not (folder / program).is_file()]
    if not lacking:
        return folder
    if len(lacking) == len(component.programs):
        return component.folder()
    raise UnusableFolder(f"{folder}: {component.name} is there without {', '.join(lacking)}")
