"""What `/metrics` of the plugin shows, and what is counted for it."""

from collections.abc import Mapping, Sequence

from furiosa_npu.agent.metrics import Histogram, Metric, Page, empty_distribution
from furiosa_npu.allocation.ledger import Holding
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.watch.card_metrics import OUTCOMES, Transitions, WatchFigures, card_metrics, watch_metrics
from furiosa_npu.watch.kubelet_books import PodRef

CALLS = ("Allocate", "PreStartContainer")
"""those whose answers are counted"""

ALLOCATE_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Counts:
    """What happened since the agent's start."""

    def __init__(self, resources: Sequence[str]) -> None:
        self.answers = {
            (call, resource, outcome): 0 for call in CALLS for resource in resources for outcome in OUTCOMES
        }
        """by call, resource and outcome"""
        self.transitions = Transitions()
        self.allocate_seconds = dict.fromkeys(resources, empty_distribution(ALLOCATE_BOUNDS_SECONDS))

    def answer(self, call: str, resource: str, outcome: str, seconds: float) -> None:
        self.answers[call, resource, outcome] += 1
        if call == "Allocate":
            self.allocate_seconds[resource] = self.allocate_seconds[resource].observed(seconds)


def page(
    pool: Pool,
    containers: Mapping[Holding, Sequence[PodRef]],
    counts: Counts,
    registrations: Mapping[str, int],
    watch: WatchFigures,
) -> Page:
    """All metrics; names begin with furiosa_npu_. `containers`: who holds what; `registrations`: by resource."""
    return (
        *card_metrics(pool, containers, counts.transitions.counts),
        Metric(
            "furiosa_npu_answers_total",
            "counter",
            "Answers to the kubelet by call, resource and outcome.",
            tuple(
                ({"call": call, "resource": resource, "outcome": outcome}, count)
                for (call, resource, outcome), count in sorted(counts.answers.items())
            ),
        ),
        Histogram(
            "furiosa_npu_allocate_duration_seconds",
            "How long Allocate took, the last look at the cards among it.",
            tuple(({"resource": resource}, seconds) for resource, seconds in sorted(counts.allocate_seconds.items())),
        ),
        Metric(
            "furiosa_npu_registrations_total",
            "counter",
            "Registrations that the kubelet took.",
            tuple(({"resource": resource}, count) for resource, count in sorted(registrations.items())),
        ),
        *watch_metrics(watch),
    )
