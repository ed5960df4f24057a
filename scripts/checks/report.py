"""What came of the stages: counts, the summary, and the exit status. Pure."""

from typing import NamedTuple
from xml.etree import ElementTree

LOUD = "!" * 100


class Counts(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    """counts as failed: these tests have no skips"""


class Outcome(NamedTuple):
    """What came of one stage."""

    stage: str
    seconds: float
    counts: Counts
    failures: tuple[str, ...] = ()
    """what else failed, a line each: a program's exit status, a deadline"""
    not_run: str | None = None
    """why it did not run"""

    @property
    def verdict(self) -> str:
        if self.not_run is not None:
            return "NOT RUN"
        return "FAILED" if self.failures or self.counts.failed or self.counts.skipped else "passed"


def counts_of_junit(text: str) -> Counts:
    """Counts from pytest's JUnit file (`--junit-xml`). Raises ElementTree.ParseError, KeyError for another format."""
    passed = failed = skipped = 0
    for suite in ElementTree.fromstring(text).iter("testsuite"):  # noqa: S314  # pytest's, written a moment ago
        tests, failures, errors, skips = (int(suite.attrib[k]) for k in ("tests", "failures", "errors", "skipped"))
        failed += failures + errors
        skipped += skips
        passed += max(tests - failures - errors - skips, 0)
    return Counts(passed, failed, skipped)


def duration(seconds: float) -> str:
    """`4.2 s`, `3 min 07 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def summary(outcomes: list[Outcome]) -> str:
    """A table of the stages, what did not run in a loud block, and `N passed, N failed` as the last line."""
    lines = ["", f"{'stage':<10} {'verdict':<8} {'time':>12}  tests"]
    for outcome in outcomes:
        lines.append(f"{outcome.stage:<10} {outcome.verdict:<8} {duration(outcome.seconds):>12}  {_tests(outcome)}")
        lines += [f"{'':<10} {failure}" for failure in outcome.failures]
    lines.append(f"{'total':<10} {'':<8} {duration(sum(outcome.seconds for outcome in outcomes)):>12}")
    left_out = [outcome for outcome in outcomes if outcome.not_run is not None]
    if left_out:
        lines += ["", LOUD, *(f"NOT RUN: {outcome.stage}: {outcome.not_run}" for outcome in left_out), LOUD]
    passed, failed = totals(outcomes)
    return "\n".join([*lines, "", f"{passed} passed, {failed} failed"])


def totals(outcomes: list[Outcome]) -> tuple[int, int]:
    """Tests that passed; tests, programs and skips that count as failed."""
    passed = sum(outcome.counts.passed for outcome in outcomes)
    failed = sum(outcome.counts.failed + outcome.counts.skipped + len(outcome.failures) for outcome in outcomes)
    return passed, failed


def exit_status(outcomes: list[Outcome], *, everything_must_run: bool) -> int:
    """1 where something failed, or did not run though it had to."""
    verdicts = {outcome.verdict for outcome in outcomes}
    return 1 if "FAILED" in verdicts or (everything_must_run and "NOT RUN" in verdicts) else 0


def _tests(outcome: Outcome) -> str:
    if outcome.not_run is not None:
        return ""
    told = [f"{count} {word}" for word, count in zip(Counts._fields, outcome.counts, strict=True) if count]
    return ", ".join(told)
