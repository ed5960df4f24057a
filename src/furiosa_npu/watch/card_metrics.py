"""What `/metrics` of each agent that watches cards shows of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

from furiosa_npu.agent.metrics import Metric, Page
from furiosa_npu.allocation.ledger import Holding
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.health.verdict import State
from furiosa_npu.watch.kubelet_books import PodRef
from furiosa_npu.watch.temperature_metric import temperatures

OUTCOMES = ("answered", "refused")
"""of what the kubelet asked"""

_STATES: tuple[State, ...] = get_args(State)


class WatchFigures(NamedTuple):
    """How the watch itself does."""

    scanned_seconds_ago: float | None
    """since the last look at the cards; None: there was none"""
    stuck_readers: int
    troubles: tuple[str, ...] = ()
    """the parts that do not work, as `/readyz` names them"""
    writes_failing: bool = False
    """the API server does not take what is written: it is away, or refuses"""


class Transitions:
    """How often each card came to each state since the agent's start."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        """by unit id and the state that it came to"""

    def count(self, unit_id: str, state: State) -> None:
        key = (unit_id, state)
        self.counts[key] = self.counts.get(key, 0) + 1


def card_metrics(
    pool: Pool, containers: Mapping[Holding, Sequence[PodRef]], transitions: Mapping[tuple[str, str], int]
) -> Page:
    """States, warnings, holders. `containers`: who holds what; `transitions`: of cards, not of their parts.

    A counter is there with 0 before it counts: what it began with, `increase()` would not see.
    """
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
            "How often the card came to a state, from 0 on; the one that it was found in is not counted.",
            tuple(
                ({"uuid": uuid, "state": state}, transitions.get((uuid, state), 0))
                for uuid in sorted(
                    {unit.id for unit in units if unit.card.pes is None} | {card for card, _ in transitions}
                )
                for state in _STATES
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
    )


def watch_metrics(figures: WatchFigures) -> Page:
    """How the watch itself does."""
    scanned_seconds_ago, stuck_readers, troubles, writes_failing = figures
    return (
        Metric(
            "furiosa_npu_last_scan_age_seconds",
            "gauge",
            "How long ago the cards were looked at.",
            () if scanned_seconds_ago is None else (({}, round(scanned_seconds_ago, 3)),),
        ),
        Metric(
            "furiosa_npu_stuck_readers",
            "gauge",
            "Threads that wait for what does not answer, at most one each: a card's driver, the list of cards, /proc, "
            "the disk of the state file.",
            (({}, stuck_readers),),
        ),
        Metric(
            "furiosa_npu_trouble",
            "gauge",
            "1 for each part of the agent that does not work; /readyz says why.",
            tuple(({"part": part}, 1) for part in troubles),
        ),
        Metric(
            "furiosa_npu_api_writes_failing",
            "gauge",
            "1 while the API server does not take events and condition: it is away, or refuses.",
            (({}, writes_failing),),
        ),
    )
