"""Faults while pods come and go: the promises hold, and all is well afterwards."""

from pathlib import Path

import pytest

from tests.cluster.cache import say
from tests.cluster.chaos.planes import NEWEST_FAULTS, NEWEST_SEEDS, PLANES
from tests.cluster.chaos.report import report
from tests.cluster.chaos.run import BOUNDS, run_chaos
from tests.cluster.releases import KUBERNETES_1_20, KUBERNETES_1_37, Release

SEED, FAULTS = 20, 60
pytestmark = pytest.mark.alone


def keeps_its_promises(release: Release, binaries: list[Path], plane_name: str, seed: int, faults: int) -> None:
    """On a cluster of its own; the report says what happened, when, and what it cost."""
    plane = PLANES[plane_name]
    chaos = plane.cluster(release, binaries)
    try:
        outcome = run_chaos(plane, chaos, seed, faults, chaos.cluster.run.logs / "chaos.jsonl")
        kept = "" if outcome.kept else f"\nits logs and its history are kept in {chaos.keep_logs()}"
    finally:
        chaos.close()
    said = report(outcome, BOUNDS) + kept
    say(f"\n{said}")
    assert outcome.kept, said


@pytest.mark.only_on(KUBERNETES_1_20, why="the newest has both planes, and fewer faults for each")
def test_no_promise_is_broken_by_sixty_faults(release: Release, binaries: list[Path]) -> None:
    """`python -m tests.cluster.chaos --seed 20 --faults 60`."""
    keeps_its_promises(release, binaries, "device-plugin", SEED, FAULTS)


@pytest.mark.only_on(KUBERNETES_1_37, why="extended resources over DRA are on by default from 1.36 on")
@pytest.mark.parametrize("plane", PLANES)
def test_no_promise_is_broken_on_either_plane(release: Release, binaries: list[Path], plane: str) -> None:
    """`python -m tests.cluster.chaos --kubernetes-version 1.37.2 --plane dra --seed 361 --faults 18`, and its like."""
    keeps_its_promises(release, binaries, plane, NEWEST_SEEDS[plane], NEWEST_FAULTS)
