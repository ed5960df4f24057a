"""The releases of Kubernetes that the tests run on, with all in which the cluster of one differs from that of another.

What a release needs beside its own programs (containerd, etcd) is of its time: Debian 12's for 1.20, the newest for
the newest.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.cluster.cache import cached
from tests.cluster.go_modules import build_programs
from tests.cluster.go_tools import DEBIANS
from tests.cluster.images import SANDBOX_IMAGE
from tests.cluster.kubernetes_build import PROGRAMS, build_from_debian, build_from_modules

_CONTAINERD_SOCKET = "unix:///run/containerd/containerd.sock"


class Component(NamedTuple):
    """Programs that are built together."""

    name: str
    number: str
    """its release, e.g. 2.4.2"""
    programs: tuple[str, ...]
    build: Callable[[str, Path], None]
    """fills an empty folder with the programs of a release"""
    inputs: Mapping[str, object]
    """what else decides what is built; `recipe` is raised when the way of building changes"""

    def folder(self) -> Path:
        """The folder with the programs, from the cache or built."""
        inputs = {"number": self.number, "programs": self.programs, **self.inputs}
        return cached(f"{self.name}-{self.number}", inputs, lambda folder: self.build(self.number, folder))


class Release(NamedTuple):
    """A release of Kubernetes."""

    number: str
    """e.g. 1.20.2"""
    components: tuple[Component, ...]
    """Kubernetes' own first; what is not among them comes from Debian"""
    kubelet_flags: tuple[str, ...]
    """beside those of all releases (node.py)"""
    kubelet_settings: Mapping[str, object]
    """KubeletConfiguration, beside what it has on all releases (node.py)"""

    def __str__(self) -> str:
        return self.number


def of_module(name: str, number: str, path: str, packages: Mapping[str, str]) -> Component:
    """Built from a Go module; `packages`: program to its package's place in the module."""

    def build(number: str, folder: Path) -> None:
        build_programs(folder, path, number, packages)

    return Component(name, number, tuple(packages), build, {"recipe": 1})


_SHIM = "containerd-shim-runc-v2"

KUBERNETES_1_20 = Release(
    "1.20.2",
    (Component("kubernetes", "1.20.2", PROGRAMS, build_from_debian, {"go": str(Path(DEBIANS).parent), "recipe": 1}),),
    kubelet_flags=(
        "--container-runtime=remote",
        f"--container-runtime-endpoint={_CONTAINERD_SOCKET}",
        f"--pod-infra-container-image={SANDBOX_IMAGE}",
    ),
    kubelet_settings={},
)
"""what the user's document shows (1.20), as Debian 12 carries it"""

KUBERNETES_1_37 = Release(
    "1.37.2",
    (
        Component("kubernetes", "1.37.2", PROGRAMS, build_from_modules, {"recipe": 1}),
        of_module(
            "containerd",
            "2.4.2",
            "github.com/containerd/containerd/v2",
            {"containerd": "cmd/containerd", _SHIM: f"cmd/{_SHIM}", "ctr": "cmd/ctr"},
        ),
        of_module("etcd", "3.7.3", "go.etcd.io/etcd/server/v3", {"etcd": ""}),
    ),
    kubelet_flags=(),
    kubelet_settings={
        "containerRuntimeEndpoint": _CONTAINERD_SOCKET,
        "failCgroupV1": False,  # the machine may still have it
    },
)
"""the newest"""

RELEASES = (KUBERNETES_1_20, KUBERNETES_1_37)
