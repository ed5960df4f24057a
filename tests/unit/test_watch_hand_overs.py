"""Which units are being handed over, and how long other names' lists wait."""

from contextlib import suppress

from furiosa_npu.watch.hand_overs import ONE_INSTANT_SECONDS, HandOvers


def test_units_are_under_way_until_they_are_decided_also_by_an_error() -> None:
    """Two calls may name the same unit: each takes back its own."""
    hand_overs = HandOvers(lambda: 0.0)
    with hand_overs.of(["A", "B"]):
        with suppress(LookupError), hand_overs.of(["A"]):
            assert hand_overs.units == ("A", "B", "A")
            raise LookupError
        assert sorted(hand_overs.units) == ["A", "B"]
    assert hand_overs.units == ()


def test_the_lists_of_other_names_wait_for_an_instant_after_the_last_hand_over() -> None:
    """That of its own name does not."""
    now = 100.0
    hand_overs = HandOvers(lambda: now)
    assert hand_overs.instant_left("b") == 0.0
    hand_overs.done("a")
    now = 100.2
    hand_overs.done("b")
    now = 100.3
    left = {name: round(hand_overs.instant_left(name), 3) for name in ("a", "b", "c")}
    assert left == {"a": ONE_INSTANT_SECONDS - 0.1, "b": ONE_INSTANT_SECONDS - 0.3, "c": ONE_INSTANT_SECONDS - 0.1}
    now = 101.0
    assert hand_overs.instant_left("c") == 0.0
