"""The arithmetic of the benchmark with a thousand nodes, and its tables."""

import json
import random

import pytest
from benchmarks.scale.audit import Asked, parse
from benchmarks.scale.changes import Change, changes
from benchmarks.scale.rates import Load, Phase, Rate, load, peak
from benchmarks.scale.table import herd, table
from hypothesis import given
from hypothesis import strategies as st
from scripts.checks.bench_scale import nodes


def _event(second: float, verb: str, resource: dict[str, str] | None, code: int = 200) -> str:
    """A line as kube-apiserver 1.37 writes it, of what matters."""
    event = {
        "kind": "Event",
        "verb": verb,
        "requestReceivedTimestamp": f"2026-01-31T09:30:{second:09.6f}Z",
        "stageTimestamp": f"2026-01-31T09:30:{second + 0.25:09.6f}Z",
        "responseStatus": {"code": code},
    }
    return json.dumps(event | ({"objectRef": resource} if resource is not None else {})) + "\n"


BEGIN = 1769851800.0
"""2026-01-31T09:30:00Z"""


def test_the_audit_log_says_who_asked_what_when_and_how_long_it_took() -> None:
    """In order of arrival; discovery is no resource, and a killed server's last line is none."""
    lines = [
        _event(2.0, "patch", {"resource": "nodes", "subresource": "status", "name": "n1"}),
        _event(1.5, "list", {"resource": "resourceslices"}, 403),
        _event(1.0, "get", None),
        _event(3.0, "get", {"resource": "nodes"})[:-20],
    ]
    assert parse(lines) == [
        Asked(BEGIN + 1.5, 0.25, "list resourceslices", 403),
        Asked(BEGIN + 2.0, 0.25, "patch nodes/status", 200),
    ]


def test_a_phase_counts_what_came_within_it() -> None:
    """Its beginning is, its end is not; in all, by kind, and what failed."""
    times = [("get nodes", 9.9), ("get nodes", 10.0), ("list pods", 10.5), ("get nodes", 10.9), ("list pods", 20.0)]
    asked = [Asked(at, 0.1, what, 429 if at == 10.5 else 200) for what, at in times]
    phase = Phase("start", 10.0, 20.0, 3.0)
    assert load(phase, asked) == Load(
        phase, Rate(3, 3, 3), {"get nodes": Rate(2, 2, 2), "list pods": Rate(1, 1, 1)}, 0.1, 1
    )
    assert load(Phase("peace", 30.0, 40.0), asked) == Load(Phase("peace", 30.0, 40.0), Rate(0, 0, 0), {}, 0.0, 0)


@given(st.lists(st.integers(0, 400).map(lambda tenth: tenth / 10), max_size=60).map(sorted))
def test_a_peak_is_the_fullest_second_wherever_it_begins(times: list[float]) -> None:
    """The fullest begins with one of the requests."""
    counts = [sum(begin <= time < begin + 1.0 for time in times) for begin in times]
    assert peak(times, 1.0) == max(counts, default=0)


def test_as_many_cards_as_are_wanted_fail_and_are_good_again_a_minute_later() -> None:
    """One percent of 8,000: 80, each once, in each of the two minutes."""
    plan = changes(1000, 8, 0.01, random.Random(1).random)  # noqa: S311  # spreads, hides nothing
    failing, recovering = ([change for change in plan if change.alive is alive] for alive in (False, True))
    assert (len(failing), len({(change.node, change.card) for change in failing})) == (80, 80)
    assert {change[1:3] for change in failing} == {change[1:3] for change in recovering}
    assert all(0.0 <= change.after_seconds < 60.0 for change in failing)
    assert all(60.0 <= change.after_seconds < 120.0 for change in recovering)
    assert plan == sorted(plan)
    assert changes(1, 1, 1.0, lambda: 0.5) == [Change(30.0, 0, 0, False), Change(90.0, 0, 0, True)]


def test_the_table_has_a_column_a_phase_and_a_row_a_kind_of_request() -> None:
    """Empty where there is nothing to say."""
    start = Load(Phase("start", 0.0, 10.0, 2.34), Rate(20, 7, 15), {"get nodes": Rate(20, 7, 15)}, 0.0123, 1)
    peace = Load(Phase("peace", 10.0, 70.0), Rate(0, 0, 0), {}, 0.0, 0)
    assert table([start, peace]).splitlines() == [
        "|                                   |       start | peace |",
        "| --------------------------------- | ----------: | ----: |",
        "| seconds                           |          10 |    60 |",
        "| all nodes as wanted after, s      |         2.3 |       |",
        "| requests                          |          20 |     0 |",
        "| a second, mean                    |         2.0 |   0.0 |",
        "| a second, peak                    |           7 |     0 |",
        "| a second, mean of the busiest ten |           2 |     0 |",
        "| answered in, p99 ms               |          12 |       |",
        "| answered with 4xx or 5xx          |           1 |     0 |",
        "| `get nodes`                       | 20 (peak 7) |       |",
    ]


def test_the_herd_is_told_as_a_ratio() -> None:
    """Also where nothing was asked at all."""
    nothing, calm, storm = (Load(Phase("", 0.0, 1.0), Rate(n, n, 5 * n), {}, 0.0, 0) for n in (0, 200, 700))
    assert herd(calm, storm).splitlines() == [
        "After the API server's return:",
        "the busiest second: 200 requests a second with jitter, 700 without, 3.5 times",
        "the busiest ten seconds: 100 requests a second with jitter, 350 without, 3.5 times",
    ]
    assert herd(nothing, storm).endswith("0 requests a second with jitter, 350 without, inf times")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [([], 1000), (["--nodes", "50"], 50), (["--nodes", "0"], None), (["--nodes"], None), (["--nodes", "x"], None)],
)
def test_the_command_takes_a_number_of_nodes(argv: list[str], expected: int | None) -> None:
    """Or nothing."""
    assert nodes(argv) == expected
