"""What survives the agent: as it was within one boot, nothing of it after another, and no nonsense believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.health.history import NEW, Heartbeat, Standing
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.health.recall import RecallError, from_document, to_document
from furiosa_npu.health.verdict import Verdict
from tests.unit.readings import warboy

MOVED = NEW._replace(heartbeat=Heartbeat(7, 3.0, moved=True))
FAILED = Verdict("failed", "not-alive", "not alive", 5.0, (), NEW._replace(standing=Standing(True, 3, 9.0, None)))
PROVING = Verdict("probation", "probation", "good again", 5.0, (), NEW._replace(standing=Standing(True, 2, 4.0, 5.0)))
WELL = Verdict("idle", "", "", 5.0, (), NEW._replace(standing=Standing(True)))


def test_a_failed_card_is_remembered_with_its_reason_and_since_when() -> None:
    """And how often it went bad."""
    remembered = from_document(to_document("boot", {"a": FAILED}), "boot")["a"]
    assert remembered == FAILED._replace(
        history=NEW._replace(heartbeat=Heartbeat(None, 5.0, moved=False), standing=Standing(True, 3, 5.0, None))
    )


def test_a_card_whose_heartbeat_stands_still_has_failed_for_the_next_agent_too() -> None:
    """At its first look, not half a minute later."""
    stands = Heartbeat(7, 3.0, moved=True)
    verdict = Verdict("failed", "heartbeat-stopped", "the heartbeat stands still for 30 s: the firmware hangs", 33.0)
    verdict = verdict._replace(history=NEW._replace(heartbeat=stands, standing=Standing(True, 1, 33.0, None)))
    remembered = from_document(to_document("boot", {"a": verdict}), "boot")["a"]
    assert remembered == verdict
    again = judge(remembered, warboy()._replace(heartbeat_seconds=7), Circumstances(), Rules(), 40.0)
    assert (again.state, again.sign, again.since) == ("failed", "heartbeat-stopped", 33.0)


@pytest.mark.parametrize("hours", [0.5, 2.0])
def test_a_fault_that_lasts_for_hours_ends_in_a_probation(hours: float) -> None:
    """What is forgotten after a quiet hour has been quiet for it: with the agent restarted meanwhile, or not."""
    bad, good, rules = warboy()._replace(alive=False), warboy(), Rules()
    failed = judge(judge(None, good, Circumstances(), rules, 0.0), bad, Circumstances(), rules, 1.0)
    for before in (failed, from_document(to_document("boot", {"a": failed}), "boot")["a"]):
        end = 1.0 + hours * 3600
        well = judge(before, good, Circumstances(), rules, end)
        assert well.state == "probation"
        well = judge(well, good, Circumstances(), rules, end + 1.0)
        assert well.state == "idle"
        assert judge(well, good, Circumstances(), rules, end + 3600.0).history.standing == Standing(good_before=True)


def test_a_running_probation_goes_on_where_it_was() -> None:
    """Its times are of the machine's clock, which an agent's end does not stop."""
    remembered = from_document(to_document("boot", {"a": PROVING}), "boot")["a"]
    assert remembered.history.standing == PROVING.history.standing


def test_that_a_heartbeat_moved_is_remembered_and_its_value_is_not() -> None:
    """The value would be written each second."""
    document = to_document("boot", {"a": WELL._replace(history=MOVED)})
    later = MOVED._replace(heartbeat=Heartbeat(99, 80.0, moved=True))
    assert document == to_document("boot", {"a": WELL._replace(history=later)})
    assert from_document(document, "boot")["a"].history.heartbeat.moved


def test_of_a_well_card_there_is_nothing_to_remember() -> None:
    """The file of a node in peace has no cards in it."""
    assert to_document("boot", {"a": WELL})["cards"] == {}


def test_a_card_that_stays_bad_is_not_written_again() -> None:
    """The document of a fault does not change while it lasts."""
    later = FAILED._replace(history=NEW._replace(standing=Standing(True, 3, 600.0, None)))
    assert to_document("boot", {"a": FAILED}) == to_document("boot", {"a": later})


def test_another_boot_begins_anew() -> None:
    """Its clock starts at nought, and so do the cards."""
    assert from_document(to_document("boot", {"a": FAILED}), "another") == {}


@given(
    entry=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["flaps", "good_since", "bad_at", "since", "state", "heartbeat_moved", "heartbeat_since"]
                ),
                inner,
                max_size=6,
            )
        ),
    )
)
def test_whatever_the_file_says_is_taken_or_refused(entry: object) -> None:
    """Nothing else is raised, and what is taken can be written."""
    for document in (entry, {"format": 1, "boot_id": "boot", "cards": {"a": entry}}, {"format": 1, "boot_id": "boot"}):
        try:
            verdicts = from_document(document, "boot")
        except RecallError:
            continue
        json.dumps(to_document("boot", verdicts))


@pytest.mark.parametrize(("key", "value"), [("flaps", 0), ("flaps", True), ("since", "now"), ("state", "fine")])
def test_a_refusal_names_card_and_key(key: str, value: object) -> None:
    """Whoever repairs the file knows where."""
    document = to_document("boot", {"a": FAILED})
    document["cards"]["a"][key] = value
    with pytest.raises(RecallError, match=rf"cards\.a\.{key}: found"):
        from_document(document, "boot")
