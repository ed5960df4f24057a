"""Kubernetes' programs, built from source: there is no other place to have them from on a machine with Debian's mirror.

A `Version` says how one release is built; what was built lies in the cache.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.cluster.cache import cached
from tests.cluster.commands import run
from tests.cluster.debian import download_source

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet")


class Version(NamedTuple):
    """A release of Kubernetes and the way in which it is built."""

    number: str
    """e.g. 1.20.2"""
    go: str
    """the folder of the Go tools that build it"""
    recipe: int
    """raised when the way of building changes, so that what the old way made is made anew"""
    build: Callable[["Version", Path], None]
    """fills a folder with PROGRAMS"""


def programs(version: Version) -> Path:
    """The folder with the release's PROGRAMS, from the cache or built (1.20.2: about 5 minutes on two cores)."""
    inputs = {"number": version.number, "go": version.go, "recipe": version.recipe, "programs": PROGRAMS}
    return cached(f"kubernetes-{version.number}", inputs, lambda folder: version.build(version, folder))


def _from_debian_source(version: Version, folder: Path) -> None:
    """GOPATH mode, as the tree of that time wants it; Debian's source package holds all that it vendors."""
    work = folder / "work"
    tree = work / "src/k8s.io/kubernetes"
    tree.mkdir(parents=True)
    download_source("kubernetes", work)
    (archive,) = work.glob("kubernetes_*.orig.tar.*")
    run(["tar", "--extract", f"--file={archive}", f"--directory={tree}", "--strip-components=1"])
    environment = {
        "PATH": f"{version.go}:{os.environ['PATH']}",
        "GOPATH": str(work),
        "GOCACHE": str(work / "go-cache"),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    _generate_openapi(tree, work, environment)
    output = work / "bin"
    output.mkdir()
    packages = [f"./cmd/{program}" for program in PROGRAMS]
    run(
        ["go", "build", "-o", f"{output}/", "-ldflags", f"-s -w {_stamps(version.number)}", *packages],
        folder=tree,
        environment=environment,
        deadline_seconds=3000,
    )
    for program in PROGRAMS:
        (output / program).rename(folder / program)
    shutil.rmtree(work)


def _generate_openapi(tree: Path, work: Path, environment: dict[str, str]) -> None:
    """`pkg/generated/openapi`, which the source package leaves to its build (build/root/Makefile.generated_files)."""
    generator = work / "openapi-gen"
    package = "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"
    run(["go", "build", "-o", str(generator), package], folder=tree, environment=environment, deadline_seconds=900)
    left_out = ("code-generator", "sample-apiserver", "gengo", "kube-openapi")
    marked = set()
    for parent, folders, files in os.walk(tree / "vendor/k8s.io", followlinks=True):
        if Path(parent) == tree / "vendor/k8s.io":
            folders[:] = [name for name in folders if name not in left_out]
        if any(_asks_for_openapi(Path(parent) / name) for name in files if name.endswith(".go")):
            marked.add(f"k8s.io/kubernetes/{Path(parent).relative_to(tree)}")
    run(
        [
            str(generator),
            f"--input-dirs={','.join(sorted(marked))}",
            "--output-package=k8s.io/kubernetes/pkg/generated/openapi",
            "--output-file-base=zz_generated.openapi",
            "--go-header-file=vendor/k8s.io/code-generator/hack/boilerplate.go.txt",
            f"--report-filename={work / 'violations.report'}",
        ],
        folder=tree,
        environment=environment,
    )


def _asks_for_openapi(file: Path) -> bool:
    return b"+k8s:openapi-gen=" in file.read_bytes()


def _stamps(number: str) -> str:
    """What `kubectl version` and a node's `VERSION` column say (hack/lib/version.sh, kube::version::ldflags)."""
    major, minor, _ = number.split(".")
    stamps = {"gitVersion": f"v{number}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "archive"}
    packages = ("component-base/version", "client-go/pkg/version")
    prefix = "k8s.io/kubernetes/vendor/k8s.io"
    return " ".join(f"-X {prefix}/{package}.{key}={value}" for package in packages for key, value in stamps.items())


KUBERNETES_1_20 = Version("1.20.2", "/usr/lib/go-1.19/bin", 1, _from_debian_source)
"""what the user's document shows (1.20), as Debian 12 carries it"""
