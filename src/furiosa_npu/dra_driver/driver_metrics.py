"""What `/metrics` of the driver shows, and what is counted for it."""

from collections.abc import Mapping, Sequence

from furiosa_npu.agent.metrics import Histogram, Metric, Page, empty_distribution
from furiosa_npu.allocation.ledger import Holding
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.watch.card_metrics import OUTCOMES, Transitions, WatchFigures, card_metrics, watch_metrics
from furiosa_npu.watch.kubelet_books import PodRef

CALLS = ("NodePrepareResources", "NodeUnprepareResources")
"""those whose answers are counted"""

PREPARE_BOUNDS_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)


class Counts:
    """What happened since the driver's start."""

    def __init__(self) -> None:
        self.transitions = Transitions()
        self.answers = {(call, outcome): 0 for call in CALLS for outcome in OUTCOMES}
        """by call and outcome, one a claim"""
        self.prepare_seconds = empty_distribution(PREPARE_BOUNDS_SECONDS)

    def answer(self, call: str, outcome: str, seconds: float) -> None:
        self.answers[call, outcome] += 1
        if call == "NodePrepareResources":
            self.prepare_seconds = self.prepare_seconds.observed(seconds)


def page(
    pool: Pool,
    containers: Mapping[Holding, Sequence[PodRef]],
    counts: Counts,
    registrations: int,
    watch: WatchFigures,
) -> Page:
    """All metrics; names begin with furiosa_npu_."""
    return (
        *card_metrics(pool, containers, counts.transitions.counts),
        Metric(
            "furiosa_npu_claim_answers_total",
            "counter",
            "Answers to the kubelet by call and outcome, one a claim.",
            tuple(
                ({"call": call, "outcome": outcome}, count) for (call, outcome), count in sorted(counts.answers.items())
            ),
        ),
        Histogram(
            "furiosa_npu_prepare_duration_seconds",
            "How long NodePrepareResources took, the API server and the last look at the cards among it.",
            (({}, counts.prepare_seconds),),
        ),
        Metric(
            "furiosa_npu_registrations_total",
            "counter",
            "Registrations that the kubelet took.",
            (({}, registrations),),
        ),
        *watch_metrics(watch),
    )
