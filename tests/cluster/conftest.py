"""The clusters that all tests of this folder share, one a release, and what is kept of one when a test fails."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.cluster.binaries import VARIABLE, UnusableFolder, folders_of, release_in
from tests.cluster.cache import say, say_on
from tests.cluster.cluster import Cluster, stage
from tests.cluster.evidence import collect
from tests.cluster.product import Product, load_image
from tests.cluster.releases import RELEASES, Release
from tests.cluster.workloads import Workloads

NUMBERS = [release.number for release in RELEASES]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep", action="store_true", help="leave the cluster running after the tests")
    parser.addoption(
        "--kubernetes-version", action="append", choices=NUMBERS, help="the tests of this release (default: of each)"
    )
    parser.addoption(
        "--kubernetes-binaries",
        action="append",
        type=lambda word: Path(word).absolute(),
        metavar="FOLDER",
        help="with the programs of a release, which then is not built; may hold containerd's and etcd's as well "
        f"(default: {VARIABLE}, folders separated by colons)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Called before pytest captures what tests write: progress goes past the capture."""
    say_on(2)
    config.addinivalue_line("markers", "only_on(*releases, why): of these releases alone, and why not of the others")
    if config.getoption("--keep") and len(_wanted(config)) > 1:
        raise pytest.UsageError("--keep keeps one cluster: name one --kubernetes-version")
    try:
        for folder in _binaries(config):
            release_in(folder)
    except UnusableFolder as unusable:
        raise pytest.UsageError(str(unusable)) from None


def _wanted(config: pytest.Config) -> list[str]:
    return config.getoption("--kubernetes-version") or NUMBERS


def _binaries(config: pytest.Config) -> list[Path]:
    return config.getoption("--kubernetes-binaries") or folders_of(os.environ.get(VARIABLE, ""))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that has to do with a release is one a release."""
    if "release" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only_on")
        releases = only.args if only is not None else RELEASES
        metafunc.parametrize("release", releases, indirect=True, scope="session", ids=str)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One release after the other, since no two clusters are up at once; first what has to do with none.

    Of a release first come tests with a cluster of their own, then those of the bare shared one, then the product's.
    """

    def number(item: pytest.Item) -> str | None:
        callspec = getattr(item, "callspec", None)
        release = callspec.params.get("release") if callspec is not None else None
        return release.number if release is not None else None

    def turn(item: pytest.Item) -> tuple[int, int]:
        of = number(item)
        wanted = getattr(item, "fixturenames", ())
        return NUMBERS.index(of) + 1 if of else 0, ("cluster" in wanted) + ("product" in wanted)

    chosen = {None, *_wanted(config)}
    config.hook.pytest_deselected(items=[item for item in items if number(item) not in chosen])
    items[:] = sorted((item for item in items if number(item) in chosen), key=turn)


@pytest.fixture(scope="session")
def release(request: pytest.FixtureRequest) -> Release:
    """Of Kubernetes."""
    found: Release = request.param
    return found


@pytest.fixture(scope="session")
def binaries(request: pytest.FixtureRequest) -> list[Path]:
    """Folders whose programs need no building."""
    return _binaries(request.config)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, release: Release, binaries: list[Path]) -> Iterator[Cluster]:
    """Three nodes, Ready; `--keep` leaves them for a look with the kubectl that is printed."""
    keep = bool(request.config.getoption("--keep"))
    with stage(f"Kubernetes {release}, the shared cluster and its tests"):
        cluster = Cluster(release, binaries, outlives_us=keep)
        say(f"kubectl: {cluster.run.folder / 'kubectl'}")
        yield cluster
        if keep:
            say("the cluster stays; python -m tests.cluster down ends it")
        else:
            cluster.close()


@pytest.fixture(scope="session")
def cluster_with_image(cluster: Cluster) -> Cluster:
    """The cluster, the shipped image on each of its nodes."""
    load_image(cluster)
    return cluster


@pytest.fixture(scope="session")
def product(cluster_with_image: Cluster) -> Product:
    """Simulated NPUs, and the product installed with the shipped overlay."""
    return Product(cluster_with_image)


@pytest.fixture
def workloads(product: Product) -> Iterator[Workloads]:
    """An empty namespace, all NPUs free; and the same again after the test."""
    workloads = Workloads(product.cluster)
    product.wait_until_offered()
    yield workloads
    workloads.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """After a failure: what the cluster says of itself at that moment, in a folder whose path is printed."""
    report = yield
    found = getattr(item, "funcargs", {}).get("cluster")
    if isinstance(found, Cluster) and report.failed:
        folder = collect(found, item.name)
        report.sections.append(("cluster", f"what the cluster said: {folder}"))
    return report
