"""The test command's summary and exit status."""

import pytest
from scripts.checks.machine import to_install
from scripts.checks.report import LOUD, Counts, Outcome, counts_of_junit, duration, exit_status, summary
from scripts.checks.stages import STAGES, chosen

JUNIT = """<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">
<testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="0.1"><testcase name="a"/></testsuite>
</testsuites>"""


def test_counts_come_from_pytests_junit_file() -> None:
    """Errors of fixtures are failures; what is left is passed."""
    assert counts_of_junit(JUNIT) == Counts(passed=4, failed=3, skipped=3)


def test_the_summary_says_each_stage_and_ends_with_one_line_of_counts() -> None:
    """What did not run stands in a loud block; a skipped test and a program that failed count as failed."""
    outcomes = [
        Outcome("lint", 61.2, Counts(), ("mypy src: exit 1",)),
        Outcome("unit", 7.04, Counts(passed=12)),
        Outcome("docs", 3, Counts(passed=5, skipped=1)),
        Outcome("cluster", 0, Counts(), not_run="it needs root"),
    ]
    assert summary(outcomes).splitlines() == [
        "",
        "stage      verdict          time  tests",
        "lint       FAILED     1 min 01 s  ",
        "           mypy src: exit 1",
        "unit       passed          7.0 s  12 passed",
        "docs       FAILED          3.0 s  5 passed, 1 skipped",
        "cluster    NOT RUN         0.0 s  ",
        "total                 1 min 11 s",
        "",
        LOUD,
        "NOT RUN: cluster: it needs root",
        LOUD,
        "",
        "17 passed, 2 failed",
    ]


@pytest.mark.parametrize(
    ("outcome", "everything_must_run", "status"),
    [
        (Outcome("unit", 1, Counts(passed=1)), True, 0),
        (Outcome("unit", 1, Counts(passed=1, failed=1)), False, 1),
        (Outcome("unit", 1, Counts(passed=1, skipped=1)), False, 1),
        (Outcome("lint", 1, Counts(), ("ruff check: exit 1",)), False, 1),
        (Outcome("cluster", 0, Counts(), not_run="it needs root"), False, 0),
        (Outcome("cluster", 0, Counts(), not_run="it needs root"), True, 1),
    ],
)
def test_the_exit_status_is_1_where_something_failed_or_had_to_run(
    outcome: Outcome, everything_must_run: bool, status: int
) -> None:
    """A skip is a failure; a stage that cannot run is one in CI and where it was named."""
    assert exit_status([outcome], everything_must_run=everything_must_run) == status


def test_stages_run_in_their_own_order() -> None:
    """However they are named; without a name all of them."""
    assert [stage.name for stage in chosen(["unit", "lint"])] == ["lint", "unit"]
    assert chosen([]) == STAGES
    with pytest.raises(KeyError, match="nope"):
        chosen(["unit", "nope"])


def test_a_part_of_python_is_installed_together_with_the_interpreter() -> None:
    """Their versions have to agree; other packages leave the machine's Python as it is."""
    assert to_install(["gcc", "libpython3.11-dev"]) == ["gcc", "libpython3.11-dev", "python3.11"]
    assert to_install(["gcc"]) == ["gcc"]


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (187, "3 min 07 s")])
def test_times_are_told_as_people_say_them(seconds: float, text: str) -> None:
    """Minutes from one minute on."""
    assert duration(seconds) == text
