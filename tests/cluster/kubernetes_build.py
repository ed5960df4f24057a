"""Kubernetes' programs, built from source: Debian's package of 1.20.2, Go modules for newer ones."""

import os
import shutil
from pathlib import Path

from tests.cluster import go_modules
from tests.cluster.commands import run
from tests.cluster.debian import download_source
from tests.cluster.go_tools import DEBIANS

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet")


def build_from_modules(number: str, folder: Path) -> None:
    """About 12 minutes on two cores."""
    packages = {program: f"cmd/{program}" for program in PROGRAMS}
    linker = f"{go_modules.LINKER} {_stamps(number, 'k8s.io')}"
    go_modules.build_programs(folder, "k8s.io/kubernetes", number, packages, linker)


def build_from_debian(number: str, folder: Path) -> None:
    """About 5 minutes on two cores."""
    work = folder / "work"
    tree, environment = unpack_from_debian(work)
    _generate_openapi(tree, work, environment)
    output = work / "bin"
    output.mkdir()
    packages = [f"./cmd/{program}" for program in PROGRAMS]
    linker = f"{go_modules.LINKER} {_stamps(number, 'k8s.io/kubernetes/vendor/k8s.io')}"
    run(
        [DEBIANS, "build", "-o", f"{output}/", "-ldflags", linker, *packages],
        folder=tree,
        environment=environment,
        deadline_seconds=3000,
    )
    for program in PROGRAMS:
        (output / program).rename(folder / program)
    shutil.rmtree(work)


def unpack_from_debian(work: Path) -> tuple[Path, dict[str, str]]:
    """The tree of Debian's source package, which holds all that it vendors, and the environment that builds in it.

    GOPATH mode, as the tree of that time wants it. `work` is made.
    """
    tree = work / "src/k8s.io/kubernetes"
    tree.mkdir(parents=True)
    download_source("kubernetes", work)
    (archive,) = work.glob("kubernetes_*.orig.tar.*")
    run(["tar", "--extract", f"--file={archive}", f"--directory={tree}", "--strip-components=1"])
    return tree, {
        "PATH": f"{Path(DEBIANS).parent}:{os.environ['PATH']}",
        "GOPATH": str(work),
        "GOCACHE": str(work / "go-cache"),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }


def _generate_openapi(tree: Path, work: Path, environment: dict[str, str]) -> None:
    """`pkg/generated/openapi`, which the source package leaves to its build (build/root/Makefile.generated_files)."""
    generator = work / "openapi-gen"
    package = "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"
    run([DEBIANS, "build", "-o", str(generator), package], folder=tree, environment=environment, deadline_seconds=900)
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


def _stamps(number: str, prefix: str) -> str:
    """What `kubectl version` and a node's `VERSION` column say (hack/lib/version.sh, kube::version::ldflags)."""
    major, minor, _ = number.split(".")
    stamps = {"gitVersion": f"v{number}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "archive"}
    packages = ("component-base/version", "client-go/pkg/version")
    return " ".join(f"-X {prefix}/{package}.{key}={value}" for package in packages for key, value in stamps.items())
