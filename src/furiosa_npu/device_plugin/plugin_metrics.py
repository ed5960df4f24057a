"""What `/metrics` of the plugin shows, and what is counted for it."""

from collections.abc import Mapping, Sequence

from furiosa_npu.agent.metrics import Histogram, Metric, Page, empty_distribution
from furiosa_npu.allocation.ledger import Holding
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.health.verdict import State
from furiosa_npu.watch.kubelet_books import PodRef
from furiosa_npu.watch.temperature_metric import temperatures

ALLOCATE_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Counts:
    """What happened since the agent's start."""

    def __init__(self, resources: Sequence[str]) -> None:
        self.answers: dict[tuple[str, str, str], int] = {}
        """by call, resource and outcome"""
        self.transitions: dict[tuple[str, str], int] = {}
        """by unit id and the state that it came to"""
        self.allocate_seconds = dict.fromkeys(resources, empty_distribution(ALLOCATE_BOUNDS_SECONDS))

    def answer(self, call: str, resource: str, outcome: str, seconds: float) -> None:
        key = (call, resource, outcome)
        self.answers[key] = self.answers.get(key, 0) + 1
        if call == "Allocate":
            self.allocate_seconds[resource] = self.allocate_seconds[resource].observed(seconds)

    def transition(self, unit_id: str, state: State) -> None:
        key = (unit_id, state)
        self.transitions[key] = self.transitions.get(key, 0) + 1


def page(
    pool: Pool,
    containers: Mapping[Holding, Sequence[PodRef]],
    counts: Counts,
    registrations: Mapping[str, int],
    scanned_seconds_ago: float | None,
    stuck_readers: int,
) -> Page:
    """All metrics; names begin with furiosa_npu_. `containers`: who holds what; `registrations`: by resource."""
    units = sorted(pool.values())
    return (
        Metric(
            "furiosa_npu_state",
            "gauge",
            "1 for the state that the card is in, with its reason in a word (a sign of health, or such as in-use).",
            tuple(
                (
                    {
                        "uuid": unit.id,
                        "name": unit.card.name,
                        "family": unit.card.family,
                        "state": unit.verdict.state,
                        "reason": unit.verdict.sign,
                    },
                    1,
                )
                for unit in units
            ),
        ),
        Metric(
            "furiosa_npu_warning",
            "gauge",
            "1 for each sign that keeps the card from nobody, and that people should know of.",
            tuple(
                ({"uuid": unit.id, "name": unit.card.name, "reason": sign}, 1)
                for unit in units
                for sign in dict.fromkeys(warning.sign for warning in unit.verdict.warnings)
            ),
        ),
        temperatures(pool),
        Metric(
            "furiosa_npu_state_transitions_total",
            "counter",
            "How often the card came to a state.",
            tuple(
                ({"uuid": uuid, "state": state}, count) for (uuid, state), count in sorted(counts.transitions.items())
            ),
        ),
        Metric(
            "furiosa_npu_allocation_info",
            "gauge",
            "1 for each container that holds a card, as the kubelet says.",
            tuple(
                (
                    {
                        "uuid": holding.unit,
                        "namespace": holder.namespace,
                        "pod": holder.pod,
                        "container": holder.container,
                        "resource": holding.resource,
                    },
                    1,
                )
                for holding, holders in sorted(containers.items())
                if holding.unit in pool
                for holder in holders
            ),
        ),
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
        Metric(
            "furiosa_npu_last_scan_age_seconds",
            "gauge",
            "How long ago the cards were looked at.",
            () if scanned_seconds_ago is None else (({}, round(scanned_seconds_ago, 3)),),
        ),
        Metric(
            "furiosa_npu_stuck_readers",
            "gauge",
            "Threads that wait for a driver that does not answer; at most one a card.",
            (({}, stuck_readers),),
        ),
    )
