"""Sixty faults while pods come and go: the promises hold, and all is well afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cache import say
from tests.cluster.chaos.report import report
from tests.cluster.chaos.run import BOUNDS, run_chaos
from tests.cluster.chaos.site import ChaosCluster
from tests.cluster.releases import KUBERNETES_1_20, Release

SEED = 20
FAULTS = 60


@pytest.fixture
def chaos(release: Release, binaries: list[Path]) -> Iterator[ChaosCluster]:
    """A cluster of its own, ended before the other tests' is begun."""
    chaos = ChaosCluster(release, binaries)
    yield chaos
    chaos.close()


@pytest.mark.only_on(KUBERNETES_1_20, why="the judge knows the books of 1.20's kubelet")
def test_no_promise_is_broken_by_sixty_faults(chaos: ChaosCluster) -> None:
    """`python -m tests.cluster.chaos --seed 20 --faults 60`; the report says what happened, when, and what it cost."""
    outcome = run_chaos(chaos, SEED, FAULTS, chaos.cluster.run.logs / "chaos.jsonl")
    said = report(outcome, BOUNDS)
    say(f"\n{said}")
    assert outcome.kept, said
