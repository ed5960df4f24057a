"""What happened on a node, kept in a file."""

from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.chaos.history import Booking, Deed, Event, Holder, Pods, PodSeen, Sample, from_lines, to_line

TEXT = st.text(max_size=5)
CARDS = st.lists(TEXT, max_size=3).map(tuple)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
SAMPLES = st.builds(
    Sample,
    TIMES,
    TEXT,
    st.none() | TIMES,
    st.none() | TIMES,
    st.none() | TIMES,
    st.dictionaries(TEXT, CARDS, max_size=2),
    st.lists(st.builds(Booking, TEXT, TEXT, TEXT, CARDS), max_size=2).map(tuple),
    st.lists(st.builds(Holder, TEXT, TEXT, TIMES, CARDS), max_size=2).map(tuple),
    st.dictionaries(TEXT, TEXT, max_size=2),
    st.dictionaries(TEXT, TIMES, max_size=2),
    st.none() | TIMES,
)
SEEN = st.builds(PodSeen, TEXT, TEXT, TEXT, TEXT, TEXT, st.booleans(), st.integers(0, 9), CARDS)
EVENTS = st.one_of(
    SAMPLES,
    st.builds(Pods, TIMES, st.lists(SEEN, max_size=3).map(tuple)),
    st.builds(Deed, TIMES, TIMES, st.integers(0, 9), TEXT, TEXT, TEXT, st.booleans(), TEXT),
)


@given(st.lists(EVENTS, max_size=5))
def test_a_history_is_the_same_from_its_file(history: list[Event]) -> None:
    """A line an event, whatever names hold."""
    lines = [to_line(event) for event in history]
    assert all("\n" not in line for line in lines)
    assert from_lines(lines) == history
