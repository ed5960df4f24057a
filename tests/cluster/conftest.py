"""The cluster that all tests of this folder share, and what is kept of it when one of them fails."""

from collections.abc import Generator, Iterator

import pytest

from tests.cluster.cache import say, say_on
from tests.cluster.cluster import Cluster
from tests.cluster.evidence import collect
from tests.cluster.product import Product, load_image
from tests.cluster.workloads import Workloads


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep", action="store_true", help="leave the cluster running after the tests")


def pytest_configure() -> None:
    """Called before pytest captures what tests write: progress goes past the capture."""
    say_on(2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First come tests with a cluster of their own or none, then those of the bare shared one, then the product's."""

    def turn(item: pytest.Item) -> int:
        wanted = getattr(item, "fixturenames", ())
        return ("cluster" in wanted) + ("product" in wanted)

    items.sort(key=turn)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Three nodes, Ready; `--keep` leaves them for a look with the kubectl that is printed."""
    keep = bool(request.config.getoption("--keep"))
    cluster = Cluster(outlives_us=keep)
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
