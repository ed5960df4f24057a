"""What lies in the peers' images and in ours, measured from files that are made here: no registry is asked."""

import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from tests.cluster import nfd
from tests.cluster.images import debian_archive

from benchmarks.peers.images import Image, together
from benchmarks.peers.programs import DRA_EXAMPLE_DRIVER, NODE_EXPORTER, Programs
from benchmarks.sample_plugin import NEWEST

SLIM_LEAVES_OUT = tuple(f"usr/share/{folder}/" for folder in ("doc", "info", "lintian", "locale", "man"))
"""of a Debian's files, as debuerreotype's .slimify-excludes has them"""


class NoImage(Exception):
    """What was to be an image's archive is none."""


def peers_images(programs: Programs) -> list[Image]:
    """As the Dockerfile of each module says: NFD's targets `full` and `minimal`, dra-example-driver's
    deployments/container, Kubernetes' test/images/sample-device-plugin, node_exporter's; then the three jobs' together.

    Debian slim is stood in for by a minbase of the same release, less what slim leaves out.
    """
    nfds = _sizes(programs.nfds_image)
    minimal = Image(f"NFD {nfd.NUMBER}, minimal", nfds, "none", 0)
    sample = Image(f"sample plugin {NEWEST}", _sizes([programs.sample_plugin]), "Alpine 3.22", None)
    exporter = Image(f"node_exporter {NODE_EXPORTER.number}", _sizes([programs.node_exporter]), "busybox", None)
    dra = _sizes(programs.dra_example_drivers_image)
    return [
        Image(f"NFD {nfd.NUMBER}, full", nfds, "Debian slim", unpacked_bytes(debian_archive(), SLIM_LEAVES_OUT)),
        minimal,
        Image(f"dra-example-driver {DRA_EXAMPLE_DRIVER.number}", dra, "Ubuntu 22.04", None),
        sample,
        exporter,
        together("sample plugin, NFD minimal, node_exporter", (sample, minimal, exporter)),
    ]


def unpacked_bytes(archive: Path, left_out: tuple[str, ...] = ()) -> int:
    """Of the files in all layers of a docker archive (Docker image specification v1.2), each layer's own.

    `left_out`: how the names of files begin that do not count. Raises NoImage, KeyError.
    """
    with tarfile.open(archive) as image:
        (manifest,) = json.loads(_content(image, "manifest.json").read())
        return sum(_layer_bytes(_content(image, name), left_out) for name in manifest["Layers"])


def _layer_bytes(layer: IO[bytes], left_out: tuple[str, ...]) -> int:
    with tarfile.open(fileobj=layer) as files:
        return sum(
            file.size for file in files if file.isreg() and not file.name.removeprefix("./").startswith(left_out)
        )


def _content(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    content = archive.extractfile(name)
    if content is None:
        raise NoImage(f"{archive.name!r}: found no file {name}, expected a docker archive")
    return content


def _sizes(files: Iterable[Path]) -> tuple[int, ...]:
    return tuple(file.stat().st_size for file in files)
