"""Kubernetes' own sample device plugin (test/images/sample-device-plugin): of 1.20.2 and of the newest Kubernetes.

The old one is built from Debian's source package, the newest from Go modules. Each gets as many devices as we have
cards, and each a resource name of its own: one kubelet has both.
"""

import json
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from tests.cluster.cache import cached
from tests.cluster.commands import run
from tests.cluster.debian import download_source

from benchmarks.go_tools import DEBIANS, MODULES, TOOLCHAIN, fetched_go, newer_go

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
_LINKER = "-s -w"
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
    old = {"kubernetes": OLD, "go": str(Path(DEBIANS).parent), "linker": _LINKER, "devices": DEVICES, "recipe": _RECIPE}
    there = newer_go()
    version = there[1] if there else TOOLCHAIN
    newest = {"kubernetes": NEWEST, "go": version, "linker": _LINKER, "devices": DEVICES, "recipe": _RECIPE}
    return Samples(
        cached(_PROGRAM, old, _build_old) / _PROGRAM,
        cached(
            f"newest-{_PROGRAM}",
            newest,
            lambda folder: _build_newest(folder, there[0] if there else fetched_go(folder)),
        )
        / _PROGRAM,
        version,
    )


def with_devices(source: str, count: int) -> str:
    """The program with so many devices in place of its two. Raises OtherSource."""
    lines = [_LAST_DEVICE.replace("Dev-2", f"Dev-{number}") for number in range(2, count + 1)]
    return _replaced(source, _LAST_DEVICE, "".join(lines))


def module_file(kubernetes: str, number: str) -> str:
    """The go.mod of a module that builds a program of Kubernetes `number` (`1.37.2`), from Kubernetes' own go.mod.

    Its staging modules stand there at v0.0.0, in folders of the tree; outside of it they are modules at v0.37.2.
    """
    (go,) = re.findall(r"^go (\S+)$", kubernetes, re.MULTILINE)
    staged = re.findall(r"^\s*(k8s\.io/\S+) v0\.0\.0$", kubernetes, re.MULTILINE)
    own = f"v0.{number.partition('.')[2]}"
    lines = [f"module sample\n\ngo {go}\n\nrequire k8s.io/kubernetes v{number}\n\nreplace ("]
    return "\n".join([*lines, *(f"\t{name} => {name} {own}" for name in staged), ")\n"])


def _build_old(folder: Path) -> None:
    """GOPATH mode, as the tree of that time wants it."""
    work = folder / "work"
    tree = work / "src/k8s.io/kubernetes"
    tree.mkdir(parents=True)
    download_source("kubernetes", work)
    (archive,) = work.glob("kubernetes_*.orig.tar.*")
    run(["tar", "--extract", f"--file={archive}", f"--directory={tree}", "--strip-components=1"])
    program = tree / _SOURCE
    program.write_text(with_devices(program.read_text(), DEVICES))
    environment = {
        "GOPATH": str(work),
        "GOCACHE": str(work / "go-cache"),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    build = [DEBIANS, "build", "-o", str(folder / _PROGRAM), "-ldflags", _LINKER, f"./{_FOLDER}"]
    run(build, folder=tree, environment=environment, deadline_seconds=1800)
    shutil.rmtree(work)


def _build_newest(folder: Path, go: str) -> None:
    """In a module of its own."""
    work = folder / "pkg"
    module = work / "sample"
    module.mkdir(parents=True, exist_ok=True)
    environment = {**MODULES, "GOPATH": str(folder), "GOCACHE": str(work / "go-cache")}
    download = [go, "mod", "download", "-json", f"k8s.io/kubernetes@v{NEWEST}"]
    kubernetes = Path(json.loads(run(download, folder=module, environment=environment, deadline_seconds=1800))["Dir"])
    source = with_devices((kubernetes / _SOURCE).read_text(), DEVICES)
    (module / "main.go").write_text(_replaced(source, f'"{OLD_RESOURCE}"', f'"{NEWEST_RESOURCE}"'))
    (module / "go.mod").write_text(module_file((kubernetes / "go.mod").read_text(), NEWEST))
    build = [go, "build", "-mod=mod", "-buildvcs=false", "-o", str(folder / _PROGRAM), "-ldflags", _LINKER, "."]
    run(build, folder=module, environment=environment, deadline_seconds=1800)
    shutil.rmtree(work)


def _replaced(source: str, line: str, by: str) -> str:
    if source.count(line) != 1:
        raise OtherSource(f"{_SOURCE}: expected {line.strip()} once")
    return source.replace(line, by)
