"""The driver's counters begin at 0: one that began with its first event would hide it from `increase()`."""

from furiosa_npu.agent.metrics import Histogram
from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.dra_driver.driver_metrics import Counts, page
from furiosa_npu.health.verdict import Verdict
from furiosa_npu.watch.card_metrics import WatchFigures
from tests.unit.readings import renegade

CARD, PART = renegade(0, uuid="R0"), renegade(0, uuid="R0")._replace(pes=(0, 1))
IDLE = Verdict("idle", "", "", 1.0)
POOL: Pool = {"R0": Unit("R0", "R0", CARD, IDLE), "R0-pe0-1": Unit("R0-pe0-1", "R0", PART, IDLE)}


def counters(pool: Pool, counts: Counts) -> dict[str, list[tuple[str, ...]]]:
    """Label values and value of each sample, by metric."""
    return {
        metric.name.removeprefix("furiosa_npu_"): [(*labels.values(), str(value)) for labels, value in metric.samples]
        for metric in page(pool, {}, counts, 0, WatchFigures(None, 0))
        if not isinstance(metric, Histogram) and metric.kind == "counter"
    }


def test_before_anything_happened_each_counter_is_there() -> None:
    """Of the units the card alone, whose states are its parts' too."""
    states = ("starting", "idle", "allocated", "occupied", "failed", "unreadable", "probation", "disabled", "gone")
    assert counters(POOL, Counts()) == {
        "state_transitions_total": [("R0", state, "0") for state in states],
        "claim_answers_total": [
            (call, outcome, "0")
            for call in ("NodePrepareResources", "NodeUnprepareResources")
            for outcome in ("answered", "refused")
        ],
        "registrations_total": [("0",)],
    }


def test_what_became_of_a_card_that_is_no_more_is_told_still() -> None:
    """Another card has its place."""
    counts = Counts()
    counts.transitions.count("R9", "gone")
    counts.answer("NodePrepareResources", "refused", 0.1)
    found = counters({}, counts)
    assert [sample for sample in found["state_transitions_total"] if sample[2] != "0"] == [("R9", "gone", "1")]
    assert ("NodePrepareResources", "refused", "1") in found["claim_answers_total"]
