"""What is another on each plane: the cluster, what is looked at, the pods, and the judge."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.cluster.chaos.dra_judge import judge_claims
from tests.cluster.chaos.dra_observer import dra_looks
from tests.cluster.chaos.dra_plan import claim_plan
from tests.cluster.chaos.dra_site import DraChaosCluster
from tests.cluster.chaos.history import Event
from tests.cluster.chaos.judge import judge
from tests.cluster.chaos.observer import looks
from tests.cluster.chaos.plan import PodStep, Site, pod_plan
from tests.cluster.chaos.site import RESOURCES, ChaosCluster
from tests.cluster.chaos.tally import Bounds, Tally


class Plane(NamedTuple):
    """How cards are handed out."""

    cluster: type[ChaosCluster]
    looks: Callable[[ChaosCluster], Sequence[Callable[[], Event | None]]]
    pods: Callable[[int, float, Site], tuple[PodStep, ...]]
    """by seed and seconds"""
    judge: Callable[[Sequence[Event], Bounds], tuple[Tally, ...]]


DEVICE_PLUGIN = Plane(ChaosCluster, looks, pod_plan, lambda history, bounds: judge(history, RESOURCES, bounds))
DRA = Plane(DraChaosCluster, dra_looks, claim_plan, judge_claims)
PLANES = {"device-plugin": DEVICE_PLUGIN, "dra": DRA}

NEWEST_SEEDS, NEWEST_FAULTS = {"device-plugin": 165, "dra": 361}, 18
"""Of the test run's two runs on the newest Kubernetes, by plane. Together they have each kind of fault."""
