"""The plugin's page of metrics: each value and label, of cards, of who holds them, of answers and registrations."""

from furiosa_npu.agent.metrics import render_metrics
from furiosa_npu.allocation.ledger import Holding
from furiosa_npu.allocation.pool import Unit
from furiosa_npu.device_plugin.plugin_metrics import Counts, page
from furiosa_npu.hardware.reading import Sensor
from furiosa_npu.health.verdict import Verdict, WarningSign
from furiosa_npu.watch.card_metrics import WatchFigures
from furiosa_npu.watch.kubelet_books import PodRef
from tests.unit.readings import renegade, warboy

ALPHA, PLAIN = "alpha.furiosa.ai/npu", "furiosa.ai/npu"

HOT = WarningSign("pcie-link", "the PCIe link is x4 wide, expected x8")
POOL = {
    "W0": Unit(
        "W0",
        "W0",
        warboy(0, uuid="W0")._replace(sensors=(Sensor("temp", 1, "PEAK", 40125, None),)),
        Verdict("allocated", "", "", 1.0, (HOT,)),
    ),
    "R1": Unit("R1", "R1", renegade(1, uuid="R1"), Verdict("failed", "not-alive", "not alive: ...", 2.0)),
}


def _counts() -> Counts:
    counts = Counts((ALPHA, PLAIN))
    counts.answer("Allocate", ALPHA, "answered", 0.002)
    counts.answer("Allocate", ALPHA, "answered", 3.0)
    counts.answer("Allocate", PLAIN, "refused", 0.25)
    counts.answer("PreStartContainer", ALPHA, "answered", 0.5)
    for state in ("idle", "allocated", "idle", "allocated"):
        counts.transitions.count("W0", state)
    counts.transitions.count("R1", "failed")
    return counts


def test_the_page_of_metrics() -> None:
    """Compared whole. What is held of a card that was never seen is on no line: nothing is known of the card."""
    holders = {
        Holding(ALPHA, "W0"): (PodRef("team", "holder", "first"), PodRef("team", "holder", "second")),
        Holding(PLAIN, "W0"): (PodRef("", "uid:4711", "init"),),
        Holding(ALPHA, "never seen"): (PodRef("team", "holder", "first"),),
    }
    registrations = {PLAIN: 3, ALPHA: 1}
    watch = WatchFigures(0.25, 2, (PLAIN, "plane"), writes_failing=True)
    assert render_metrics(page(POOL, holders, _counts(), registrations, watch)) == EXPECTED


EXPECTED = """\
# HELP furiosa_npu_state 1 for the state that the card is in, with its reason in a word (a sign of health, or such as \
in-use).
# TYPE furiosa_npu_state gauge
furiosa_npu_state{uuid="R1",name="npu1",family="renegade",state="failed",reason="not-alive"} 1
furiosa_npu_state{uuid="W0",name="npu0",family="warboy",state="allocated",reason=""} 1
# HELP furiosa_npu_warning 1 for each sign that keeps the card from nobody, and that people should know of.
# TYPE furiosa_npu_warning gauge
furiosa_npu_warning{uuid="W0",name="npu0",reason="pcie-link"} 1
# HELP furiosa_npu_temperature_celsius What a sensor of the card told last: each cycle where it is held against a bound.
# TYPE furiosa_npu_temperature_celsius gauge
furiosa_npu_temperature_celsius{uuid="W0",name="npu0",sensor="PEAK"} 40.125
# HELP furiosa_npu_state_transitions_total How often the card came to a state, from 0 on; the one that it was found in \
is not counted.
# TYPE furiosa_npu_state_transitions_total counter
furiosa_npu_state_transitions_total{uuid="R1",state="starting"} 0
furiosa_npu_state_transitions_total{uuid="R1",state="idle"} 0
furiosa_npu_state_transitions_total{uuid="R1",state="allocated"} 0
furiosa_npu_state_transitions_total{uuid="R1",state="occupied"} 0
furiosa_npu_state_transitions_total{uuid="R1",state="failed"} 1
furiosa_npu_state_transitions_total{uuid="R1",state="unreadable"} 0
furiosa_npu_state_transitions_total{uuid="R1",state="probation"} 0
furiosa_npu_state_transitions_total{uuid="R1",state="disabled"} 0
furiosa_npu_state_transitions_total{uuid="R1",state="gone"} 0
furiosa_npu_state_transitions_total{uuid="W0",state="starting"} 0
furiosa_npu_state_transitions_total{uuid="W0",state="idle"} 2
furiosa_npu_state_transitions_total{uuid="W0",state="allocated"} 2
furiosa_npu_state_transitions_total{uuid="W0",state="occupied"} 0
furiosa_npu_state_transitions_total{uuid="W0",state="failed"} 0
furiosa_npu_state_transitions_total{uuid="W0",state="unreadable"} 0
furiosa_npu_state_transitions_total{uuid="W0",state="probation"} 0
furiosa_npu_state_transitions_total{uuid="W0",state="disabled"} 0
furiosa_npu_state_transitions_total{uuid="W0",state="gone"} 0
# HELP furiosa_npu_allocation_info 1 for each container that holds a card, as the kubelet says.
# TYPE furiosa_npu_allocation_info gauge
furiosa_npu_allocation_info{uuid="W0",namespace="team",pod="holder",container="first",resource="alpha.furiosa.ai/npu"} 1
furiosa_npu_allocation_info{uuid="W0",namespace="team",pod="holder",container="second",resource="alpha.furiosa.ai/npu"\
} 1
furiosa_npu_allocation_info{uuid="W0",namespace="",pod="uid:4711",container="init",resource="furiosa.ai/npu"} 1
# HELP furiosa_npu_answers_total Answers to the kubelet by call, resource and outcome.
# TYPE furiosa_npu_answers_total counter
furiosa_npu_answers_total{call="Allocate",resource="alpha.furiosa.ai/npu",outcome="answered"} 2
furiosa_npu_answers_total{call="Allocate",resource="alpha.furiosa.ai/npu",outcome="refused"} 0
furiosa_npu_answers_total{call="Allocate",resource="furiosa.ai/npu",outcome="answered"} 0
furiosa_npu_answers_total{call="Allocate",resource="furiosa.ai/npu",outcome="refused"} 1
furiosa_npu_answers_total{call="PreStartContainer",resource="alpha.furiosa.ai/npu",outcome="answered"} 1
furiosa_npu_answers_total{call="PreStartContainer",resource="alpha.furiosa.ai/npu",outcome="refused"} 0
furiosa_npu_answers_total{call="PreStartContainer",resource="furiosa.ai/npu",outcome="answered"} 0
furiosa_npu_answers_total{call="PreStartContainer",resource="furiosa.ai/npu",outcome="refused"} 0
# HELP furiosa_npu_allocate_duration_seconds How long Allocate took, the last look at the cards among it.
# TYPE furiosa_npu_allocate_duration_seconds histogram
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="0.001"} 0
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="0.0025"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="0.005"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="0.01"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="0.025"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="0.05"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="0.1"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="0.25"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="0.5"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="1"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="2.5"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="alpha.furiosa.ai/npu",le="+Inf"} 2
furiosa_npu_allocate_duration_seconds_sum{resource="alpha.furiosa.ai/npu"} 3.002
furiosa_npu_allocate_duration_seconds_count{resource="alpha.furiosa.ai/npu"} 2
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="0.001"} 0
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="0.0025"} 0
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="0.005"} 0
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="0.01"} 0
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="0.025"} 0
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="0.05"} 0
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="0.1"} 0
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="0.25"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="0.5"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="1"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="2.5"} 1
furiosa_npu_allocate_duration_seconds_bucket{resource="furiosa.ai/npu",le="+Inf"} 1
furiosa_npu_allocate_duration_seconds_sum{resource="furiosa.ai/npu"} 0.25
furiosa_npu_allocate_duration_seconds_count{resource="furiosa.ai/npu"} 1
# HELP furiosa_npu_registrations_total Registrations that the kubelet took.
# TYPE furiosa_npu_registrations_total counter
furiosa_npu_registrations_total{resource="alpha.furiosa.ai/npu"} 1
furiosa_npu_registrations_total{resource="furiosa.ai/npu"} 3
# HELP furiosa_npu_last_scan_age_seconds How long ago the cards were looked at.
# TYPE furiosa_npu_last_scan_age_seconds gauge
furiosa_npu_last_scan_age_seconds 0.25
# HELP furiosa_npu_stuck_readers Threads that wait for what does not answer, at most one each: a \
card's driver, the list of cards, /proc, the disk of the state file.
# TYPE furiosa_npu_stuck_readers gauge
furiosa_npu_stuck_readers 2
# HELP furiosa_npu_trouble 1 for each part of the agent that does not work; /readyz says why.
# TYPE furiosa_npu_trouble gauge
furiosa_npu_trouble{part="furiosa.ai/npu"} 1
furiosa_npu_trouble{part="plane"} 1
# HELP furiosa_npu_api_writes_failing 1 while the API server does not take events and condition: it is away, \
or refuses.
# TYPE furiosa_npu_api_writes_failing gauge
furiosa_npu_api_writes_failing 1
"""
