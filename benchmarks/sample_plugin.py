"""Kubernetes' own sample device plugin (test/images/sample-device-plugin): of 1.20.2 and of the newest Kubernetes.

The old one is built from Debian's source package, the newest from Go modules. Each gets as many devices as we have
cards, and each a resource name of its own: one kubelet has both.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

from tests.cluster.cache import cached
from tests.cluster.commands import run
from tests.cluster.go_modules import LINKER, Workshop
from tests.cluster.go_tools import DEBIANS, newer_go
from tests.cluster.kubernetes_build import unpack_from_debian

OLD = "1.20.2"
NEWEST = "1.37.2"
OLD_RESOURCE = "example.com/resource"
NEWEST_RESOURCE = "example.com/newest"
DEVICES = 8
LEFTOVERS = tuple(f"/tmp/Dev-{number}" for number in range(1, DEVICES + 1))  # noqa: S108  # fixed in its code
"""what each Allocate of it leaves"""
_FOLDER = "test/images/sample-device-plugin"
_SOURCE = f"{_FOLDER}/sampledeviceplugin.go"
_LAST_DEVICE = '\t\t{ID: "Dev-2", Health: pluginapi.Healthy},\n'
_PROGRAM = "sample-device-plugin"
_RECIPE = 1
"""raised when the way of building changes"""


class OtherSource(Exception):
    """The tree's program is not the one whose list of devices we know to lengthen."""


class Samples(NamedTuple):
    """The programs."""

    old: Path
    newest: Path
    newest_go: str
    """the version that built it"""


def sample_plugins() -> Samples:
    """From the cache or built; about two minutes for the old one and one for the newest, on two cores."""
    old = {"kubernetes": OLD, "go": str(Path(DEBIANS).parent), "linker": LINKER, "devices": DEVICES, "recipe": _RECIPE}
    return Samples(cached(_PROGRAM, old, _build_old) / _PROGRAM, newest_sample_plugin(), newer_go().version)


def newest_sample_plugin() -> Path:
    """The newest alone."""
    version = newer_go().version
    newest = {"kubernetes": NEWEST, "go": version, "linker": LINKER, "devices": DEVICES, "recipe": _RECIPE}
    return cached(f"newest-{_PROGRAM}", newest, _build_newest) / _PROGRAM


def with_devices(source: str, count: int) -> str:
    """The program with so many devices in place of its two. Raises OtherSource."""
    lines = [_LAST_DEVICE.replace("Dev-2", f"Dev-{number}") for number in range(2, count + 1)]
    return _replaced(source, _LAST_DEVICE, "".join(lines))


def _build_old(folder: Path) -> None:
    work = folder / "work"
    tree, environment = unpack_from_debian(work)
    program = tree / _SOURCE
    program.write_text(with_devices(program.read_text(), DEVICES))
    build = [DEBIANS, "build", "-o", str(folder / _PROGRAM), "-ldflags", LINKER, f"./{_FOLDER}"]
    run(build, folder=tree, environment=environment, deadline_seconds=1800)
    shutil.rmtree(work)


def _build_newest(folder: Path) -> None:
    work = folder / "work"
    workshop = Workshop(work, "k8s.io/kubernetes", NEWEST)
    source = with_devices((workshop.source / _SOURCE).read_text(), DEVICES)
    (workshop.module / "main.go").write_text(_replaced(source, f'"{OLD_RESOURCE}"', f'"{NEWEST_RESOURCE}"'))
    workshop.build(".", folder / _PROGRAM)
    shutil.rmtree(work)


def _replaced(source: str, line: str, by: str) -> str:
    if source.count(line) != 1:
        raise OtherSource(f"{_SOURCE}: expected {line.strip()} once")
    return source.replace(line, by)
