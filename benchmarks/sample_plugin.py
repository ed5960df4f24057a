"""Kubernetes' own sample device plugin (test/images/sample-device-plugin), built from Debian's source of 1.20.2."""

import shutil
from pathlib import Path

from tests.cluster.cache import cached
from tests.cluster.commands import run
from tests.cluster.debian import download_source

RESOURCE = "example.com/resource"
DEVICES = 8
GO = "/usr/lib/go-1.19/bin"
_FOLDER = "test/images/sample-device-plugin"
_SOURCE = f"{_FOLDER}/sampledeviceplugin.go"
_LAST_DEVICE = '\t\t{ID: "Dev-2", Health: pluginapi.Healthy},\n'
_LINKER = "-s -w"
_RECIPE = 1
"""raised when the way of building changes"""


class OtherSource(Exception):
    """The tree's program is not the one whose list of devices we know to lengthen."""


def sample_plugin() -> Path:
    """The program, from the cache or built; about two minutes on two cores."""
    inputs = {"kubernetes": "1.20.2", "go": GO, "linker": _LINKER, "devices": DEVICES, "recipe": _RECIPE}
    return cached("sample-device-plugin", inputs, _build) / "sample-device-plugin"


def with_devices(source: str, count: int) -> str:
    """The program with so many devices in place of its two. Raises OtherSource."""
    if source.count(_LAST_DEVICE) != 1:
        raise OtherSource(f"{_SOURCE}: expected one line {_LAST_DEVICE.strip()!r}")
    lines = [_LAST_DEVICE.replace("Dev-2", f"Dev-{number}") for number in range(2, count + 1)]
    return source.replace(_LAST_DEVICE, "".join(lines))


def _build(folder: Path) -> None:
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
    build = [f"{GO}/go", "build", "-o", str(folder / "sample-device-plugin"), "-ldflags", _LINKER, f"./{_FOLDER}"]
    run(build, folder=tree, environment=environment, deadline_seconds=1800)
    shutil.rmtree(work)
