"""The promises judged over a history: what keeps them is not blamed."""

from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.chaos.history import Event
from tests.unit.chaos_histories import NAMES, counts, held_by, over, sample


def test_all_well_is_all_well() -> None:
    """Two cards waited for, both offered."""
    assert counts(over(0, 10)) == [(0, 0), (0, 0), (2, 0), (0, 0)]


def test_what_nobody_looked_at_is_not_judged() -> None:
    """After a gap the wait begins anew."""
    assert counts(over(0, 2, offered={}) + over(20, 22, offered={}))[2] == (0, 0)


NPUS = st.sampled_from(["", "gone", "not-alive", "occupied"])


@given(st.lists(st.tuples(NPUS, NPUS, st.booleans(), st.booleans(), st.booleans()), max_size=80))
def test_a_plugin_that_offers_just_what_is_good_is_never_blamed(looks: list[tuple[str, str, bool, bool, bool]]) -> None:
    """Whatever befalls cards, kubelet and agent; held cards are offered or not, nobody minds."""
    history: list[Event] = []
    for number, (x, y, kubelet, agent, held) in enumerate(looks):
        cards = {"X": x, "Y": y}
        good = tuple(name for name, what in cards.items() if not what and not (held and name == "X"))
        history.append(
            sample(
                number / 4,
                kubelet_since=-100.0 if kubelet else None,
                agent_since=-50.0 if agent else None,
                cards=cards,
                offered=dict.fromkeys(NAMES, good),
                holders=held_by("p", started_at=-200.0) if held else (),
            )
        )
    assert [violations for _, violations in counts(history)] == [0, 0, 0, 0]
