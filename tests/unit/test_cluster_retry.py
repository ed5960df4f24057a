"""How the first requests of many nodes are spread over time."""

from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cluster.retry import start_delay_seconds

CHANCE = st.floats(0.0, 1.0)
NODES = 1000


def test_starts_of_a_thousand_nodes_are_spread_evenly() -> None:
    """Of 2 s each quarter has a fourth of them."""
    delays = [start_delay_seconds(2.0, node / (NODES - 1)) for node in range(NODES)]
    assert [sum(first <= delay < first + 0.5 for delay in delays) for first in (0.0, 0.5, 1.0, 1.5)] == [
        250,
        250,
        250,
        249,
    ]


@given(jitter=st.integers(0, 600), random=CHANCE)
def test_nobody_waits_longer_than_the_setting_says(jitter: int, random: float) -> None:
    """And with 0 nobody waits."""
    assert 0.0 <= start_delay_seconds(jitter, random) <= jitter
