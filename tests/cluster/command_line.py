"""Which release, and where its programs are: the options of the commands that put up a cluster by hand."""

import argparse
import os
from pathlib import Path

from tests.cluster.binaries import VARIABLE, folders_of
from tests.cluster.releases import RELEASES, Release


def add_kubernetes_options(parser: argparse.ArgumentParser, default: Release) -> None:
    numbers = [release.number for release in RELEASES]
    parser.add_argument(
        "--kubernetes-version", choices=numbers, default=default.number, help=f"default: {default.number}"
    )
    parser.add_argument(
        "--kubernetes-binaries",
        type=Path,
        metavar="FOLDER",
        help=f"with the programs of that release, which then is not built (default: {VARIABLE})",
    )


def kubernetes_of(options: argparse.Namespace) -> tuple[Release, list[Path]]:
    """The release, and the folders that somebody named."""
    (release,) = (one for one in RELEASES if one.number == options.kubernetes_version)
    folder: Path | None = options.kubernetes_binaries
    return release, [folder.absolute()] if folder is not None else folders_of(os.environ.get(VARIABLE, ""))
