"""The cluster that all tests of the DRA plane share, and its drivers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, stage
from tests.cluster.dra import DraProduct
from tests.cluster.releases import Release
from tests.cluster.workloads import Workloads


@pytest.fixture(scope="package")
def dra(release: Release, binaries: list[Path]) -> Iterator[DraProduct]:
    """A cluster of its own: a kubelet that has known the device plugin remembers it for minutes."""
    with stage(f"Kubernetes {release}, the DRA plane and its tests"):
        cluster = Cluster(release, binaries)
        try:
            yield DraProduct(cluster)
        finally:
            cluster.close()


@pytest.fixture
def workloads(dra: DraProduct) -> Iterator[Workloads]:
    """An empty namespace, and the same again after the test: no claim is left."""
    workloads = Workloads(dra.cluster)
    yield workloads
    workloads.clear()
    dra.cluster.wait("all claims to be gone", lambda: not dra.cluster.get("resourceclaims")["items"])
    dra.cluster.kubectl("delete", "resourceclaimtemplates", "--all")
