"""When the labeller looks."""

from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.node_labeller.rescan import LONGEST_SETTLE_SECONDS, POLL_SECONDS, Rescan, after_event, after_look


def test_a_burst_of_events_is_one_look_after_it() -> None:
    """Twenty files of a loading driver."""
    rescan = after_look(100.0, 60, watching=True)
    for number in range(20):
        rescan = after_event(rescan, 110 + number / 100)
    assert rescan == Rescan(110.19 + 0.2, 110.0)


def test_without_events_the_rescan_period_counts() -> None:
    """No idle polling; where there can be no events, a look every few seconds, or more often if that is asked for."""
    assert after_look(100.0, 60, watching=True) == Rescan(160.0)
    assert after_look(100.0, 60, watching=False) == Rescan(100.0 + POLL_SECONDS)
    assert after_look(100.0, 1, watching=False) == Rescan(101.0)


@given(st.lists(st.floats(0, 0.19), min_size=1, max_size=100))
def test_events_without_end_put_the_look_off_for_two_seconds_at_most(gaps: list[float]) -> None:
    """A node where files come and go all the time is looked at none the less."""
    rescan, now = Rescan(60.0), 0.0
    for gap in gaps:
        now += gap
        rescan = after_event(rescan, now)
    assert rescan.at <= gaps[0] + LONGEST_SETTLE_SECONDS
