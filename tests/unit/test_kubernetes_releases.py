"""What the cluster tests build a release of Kubernetes from, and the folders that spare them the building."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.binaries import UnusableFolder, folders_of, program_folders
from tests.cluster.go_modules import module_file
from tests.cluster.go_tools import parse_version
from tests.cluster.releases import RELEASES, Component, Release


def test_a_module_is_required_with_its_staging_modules_at_the_releases_own_number() -> None:
    """Those that its go.mod has at v0.0.0; outside of its tree they are modules of their own."""
    kubernetes = (
        "module k8s.io/kubernetes\n\ngo 1.26.0\n\nrequire (\n"
        "\tgithub.com/x/y v0.0.0\n\tk8s.io/api v0.0.0\n\tk8s.io/klog/v2 v2.130.1\n)\n\n"
        "replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n)\n"
    )
    assert module_file("k8s.io/kubernetes", "1.37.2", kubernetes) == (
        "module throwaway\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v1.37.2\nreplace k8s.io/api => k8s.io/api v0.37.2\n"
    )


def test_a_module_within_a_module_has_its_number_outside() -> None:
    """As Node Feature Discovery has its API."""
    outer = "module a.io/x\n\ngo 1.26\n\nrequire (\n\ta.io/x/api v0.0.0-00010101000000-000000000000\n)\n"
    assert module_file("a.io/x", "0.19.0", outer) == (
        "module throwaway\n\ngo 1.26\n\nrequire a.io/x v0.19.0\nreplace a.io/x/api => a.io/x/api v0.19.0\n"
    )


@pytest.mark.parametrize(
    ("text", "version"), [("go1.26.8\n", (1, 26, 8)), ("go1.19", (1, 19)), ("devel go1.27-abc", (0,)), ("", (0,))]
)
def test_versions_of_go_are_compared_as_numbers(text: str, version: tuple[int, ...]) -> None:
    """What is no release is older than all."""
    assert parse_version(text) == version


def test_each_release_says_its_own_number_and_kubernetes_comes_first() -> None:
    """`program_folders` and the cluster's kubectl go by that."""
    assert [(one.components[0].name, one.components[0].number) for one in RELEASES] == [
        ("kubernetes", one.number) for one in RELEASES
    ]


def test_folders_are_separated_by_colons() -> None:
    """As in PATH; none where nothing is said."""
    assert folders_of("/a:/b/c") == [Path("/a"), Path("/b/c")]
    assert folders_of("") == []


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder with programs, whose kubelet says a release."""

    def make(said: str, *others: str) -> Path:
        place = tmp_path / "named"
        place.mkdir()
        for program in ("kubelet", *others):
            (place / program).write_text(f"#!/bin/sh\necho '{said}'\n")
            (place / program).chmod(0o755)
        return place

    return make


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """1.37.2, whose building leaves empty folders."""
    monkeypatch.setenv("FURIOSA_NPU_CACHE", str(tmp_path / "cache"))
    (newest,) = (one for one in RELEASES if one.number == "1.37.2")
    return newest._replace(components=tuple(one._replace(build=_build_nothing) for one in newest.components))


def _build_nothing(_number: str, _folder: Path) -> None:
    """A component without a program."""


KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")


def names(folders: tuple[Path, ...]) -> list[str]:
    """Of folders in the cache, without the digest of their inputs."""
    return [folder.name.rpartition("-")[0] or folder.name for folder in folders]


def test_what_nobody_names_a_folder_for_is_built(release: Release) -> None:
    """A folder in the cache for each component."""
    assert names(program_folders(release, [], [release])) == ["kubernetes-1.37.2", "containerd-2.4.2", "etcd-3.7.3"]


def test_a_named_folder_serves_the_release_of_its_kubelet(release: Release, folder: Callable[..., Path]) -> None:
    """What it lacks of the other components is built."""
    named = folder("Kubernetes v1.37.2", *KUBERNETES, "etcd")
    older = release._replace(number="1.20.2")
    known = [older, release]
    assert names(program_folders(release, [named], known)) == ["named", "containerd-2.4.2", "named"]
    assert names(program_folders(older, [named], known)) == ["kubernetes-1.37.2", "containerd-2.4.2", "etcd-3.7.3"]


def test_a_folder_of_no_known_release_is_refused(release: Release, folder: Callable[..., Path]) -> None:
    """With what its kubelet says."""
    with pytest.raises(
        UnusableFolder, match=r"named: its kubelet says 'Kubernetes v1\.36\.0', expected one of 1\.37\.2"
    ):
        program_folders(release, [folder("Kubernetes v1.36.0")], [release])


def test_a_folder_without_a_kubelet_is_refused(release: Release, tmp_path: Path) -> None:
    """It is not taken for one of another release."""
    with pytest.raises(UnusableFolder, match="its kubelet does not run"):
        program_folders(release, [tmp_path], [release])


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        (("kubectl",), "kubernetes is there without kube-apiserver, kube-controller-manager, kube-scheduler"),
        ((*KUBERNETES, "ctr"), "containerd is there without containerd, containerd-shim-runc-v2"),
    ],
)
def test_a_folder_with_half_a_component_is_refused(
    release: Release, folder: Callable[..., Path], programs: tuple[str, ...], said: str
) -> None:
    """Programs of two builds would run together."""
    with pytest.raises(UnusableFolder, match=said):
        program_folders(release, [folder("Kubernetes v1.37.2", *programs)], [release])


def test_what_is_built_depends_on_number_programs_and_recipe(release: Release) -> None:
    """Another folder for each."""
    component = Component("etcd", "3.7.3", ("etcd",), _build_nothing, {"recipe": 1})
    others = [component._replace(number="3.7.2"), component._replace(programs=("etcdctl",))]
    others.append(component._replace(inputs={"recipe": 2}))
    assert len({one.folder() for one in (component, *others)}) == 4
