"""The clusters that all tests of this folder share, one a release, and what is kept of one when a test fails."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.binaries import VARIABLE, UnusableFolder, folders_of, release_in
from tests.cluster.cache import cache_folder, say, say_on
from tests.cluster.cluster import Cluster, stage
from tests.cluster.evidence import collect
from tests.cluster.machine_turn import file_and_release, turn
from tests.cluster.product import Product, load_image
from tests.cluster.releases import RELEASES, Release
from tests.cluster.workloads import Workloads

HERE = Path(__file__).parent
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
    config.addinivalue_line("markers", "alone: no other test of a cluster runs on this machine meanwhile")
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


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """One release after the other; first what has to do with none.

    Of a release first come tests with a cluster of their own, then those of the bare shared one, then the product's.
    """
    chosen = {None, *_wanted(config)}
    config.hook.pytest_deselected(items=[item for item in items if _number(item) not in chosen])
    items[:] = [item for item in items if _number(item) in chosen]
    yield
    places: dict[str, tuple[int, int]] = {}
    for item in items:
        together = file_and_release(item.nodeid)
        places[together] = max(_place(item), places.get(together, (0, 0)))
    items.sort(key=lambda item: (places[file_and_release(item.nodeid)], str(item.path)))


def _number(item: pytest.Item) -> str | None:
    """Of the release, if the test has to do with one."""
    callspec = getattr(item, "callspec", None)
    release = callspec.params.get("release") if callspec is not None else None
    return release.number if release is not None else None


def _place(item: pytest.Item) -> tuple[int, int]:
    number, wanted = _number(item), getattr(item, "fixturenames", ())
    return NUMBERS.index(number) + 1 if number else 0, ("cluster" in wanted) + ("product" in wanted)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Processes that share the tests take them in this order, a file of one release at a time."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFileAndRelease(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return file_and_release(nodeid)

    config.option.loadscopereorder = False
    return ByFileAndRelease(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test and its fixtures, in its turn."""
    with turn(cache_folder(), alone=item.get_closest_marker("alone") is not None):
        return (yield)


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
    values = getattr(item, "funcargs", {})
    found = values.get("cluster") or getattr(values.get("dra"), "cluster", None)
    if isinstance(found, Cluster) and report.failed:
        folder = collect(found, item.name)
        report.sections.append(("cluster", f"what the cluster said: {folder}"))
    return report
