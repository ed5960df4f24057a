"""What survives the agent: as it was within one boot, nothing of it after another, and no nonsense believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.history import NEW, Heartbeat, Standing
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.health.recall import Recalled, RecallError, from_document, to_document
from furiosa_npu.health.verdict import Verdict
from tests.unit.readings import warboy

MOVED = NEW._replace(heartbeat=Heartbeat(7, 3.0, moved=True))
FAILED = Verdict("failed", "not-alive", "not alive", 5.0, (), NEW._replace(standing=Standing(True, 3, 9.0, None)))
PROVING = Verdict("probation", "probation", "good again", 5.0, (), NEW._replace(standing=Standing(True, 2, 4.0, 5.0)))
LATER = 1e6
"""than all that is remembered here; seconds"""
WELL = Verdict("idle", "", "", 5.0, (), NEW._replace(standing=Standing(True)))


def test_a_failed_card_is_remembered_with_its_reason_and_since_when() -> None:
    """And how often it went bad."""
    remembered = from_document(to_document("boot", {"a": FAILED}), "boot", LATER).verdicts["a"]
    assert remembered == FAILED._replace(
        history=NEW._replace(heartbeat=Heartbeat(None, 5.0, moved=False), standing=Standing(True, 3, 5.0, None))
    )


def test_a_card_whose_heartbeat_stands_still_has_failed_for_the_next_agent_too() -> None:
    """At its first look, not half a minute later."""
    stands = Heartbeat(7, 3.0, moved=True, stands_still=True)
    verdict = Verdict("failed", "heartbeat-stopped", "the heartbeat stands still for 30 s: the firmware hangs", 33.0)
    verdict = verdict._replace(history=NEW._replace(heartbeat=stands, standing=Standing(True, 1, 33.0, None)))
    remembered = from_document(to_document("boot", {"a": verdict}), "boot", LATER).verdicts["a"]
    assert remembered == verdict
    again = judge(remembered, warboy()._replace(heartbeat_seconds=7), Circumstances(), Rules(), 40.0)
    assert (again.state, again.sign, again.since) == ("failed", "heartbeat-stopped", 33.0)


BEATING = warboy()._replace(heartbeat_seconds=7)
HIDING: dict[str, tuple[Reading, Circumstances]] = {
    "another sign": (BEATING._replace(alive=False), Circumstances()),
    "disabled": (BEATING, Circumstances(disabled="for repair")),
    "nothing": (BEATING, Circumstances()),
}


@pytest.mark.parametrize("hidden_by", HIDING)
def test_a_heartbeat_that_stands_still_does_so_for_the_next_agent_whatever_hides_it(hidden_by: str) -> None:
    """From when it was: a card of a hung firmware is not handed out when what was said of it instead is over."""
    reading, circumstances = HIDING[hidden_by]
    verdict = judge(None, BEATING._replace(heartbeat_seconds=6), Circumstances(), Rules(), 0.0)
    for now in (1.0, 20.0):
        verdict = judge(verdict, reading, circumstances, Rules(), now)
    remembered = from_document(to_document("boot", {"a": verdict}), "boot", LATER).verdicts["a"]
    for before in (verdict, remembered):
        assert judge(before, BEATING, Circumstances(), Rules(), 30.9).state in ("idle", "probation")
        assert judge(before, BEATING, Circumstances(), Rules(), 31.0).sign == "heartbeat-stopped"


def test_a_driver_that_does_not_answer_the_next_agent_hides_no_standstill_from_it() -> None:
    """Nothing of the card was read yet; what was known of it is."""
    verdict = judge(None, BEATING._replace(heartbeat_seconds=6), Circumstances(), Rules(), 0.0)
    for now in (1.0, 20.0):
        verdict = judge(verdict, BEATING, Circumstances(), Rules(), now)
    remembered = from_document(to_document("boot", {"a": verdict}), "boot", LATER).verdicts["a"]
    hangs = warboy()._replace(management=False, unanswered="/sys/x/alive")
    remembered = judge(remembered, hangs, Circumstances(), Rules(), 22.0)
    assert judge(remembered, BEATING, Circumstances(), Rules(), 31.0).sign == "heartbeat-stopped"


def test_since_when_a_heartbeat_stands_still_is_written_once_and_no_more_when_it_moves() -> None:
    """One that is told every few seconds does not stand still."""
    verdict, documents = WELL._replace(history=MOVED), []
    for now, value in ((12.0, 16), (17.0, 16), (22.0, 16), (27.0, 16), (32.0, 36)):
        verdict = judge(verdict, warboy()._replace(heartbeat_seconds=value), Circumstances(), Rules(), now)
        documents.append(to_document("boot", {"a": verdict})["cards"]["a"])
    moves = {"heartbeat_moved": True}
    stands = moves | {"heartbeat_seconds": 16, "heartbeat_since": 12.0}
    assert documents == [moves, moves, stands, stands, moves]


@pytest.mark.parametrize("hours", [0.5, 2.0])
def test_a_fault_that_lasts_for_hours_ends_in_a_probation(hours: float) -> None:
    """What is forgotten after a quiet hour has been quiet for it: with the agent restarted meanwhile, or not."""
    bad, good, rules = warboy()._replace(alive=False), warboy(), Rules()
    failed = judge(judge(None, good, Circumstances(), rules, 0.0), bad, Circumstances(), rules, 1.0)
    for before in (failed, from_document(to_document("boot", {"a": failed}), "boot", LATER).verdicts["a"]):
        end = 1.0 + hours * 3600
        well = judge(before, good, Circumstances(), rules, end)
        assert well.state == "probation"
        well = judge(well, good, Circumstances(), rules, end + 1.0)
        assert well.state == "idle"
        assert judge(well, good, Circumstances(), rules, end + 3600.0).history.standing == Standing(good_before=True)


def test_a_running_probation_goes_on_where_it_was() -> None:
    """Its times are of the machine's clock, which an agent's end does not stop."""
    remembered = from_document(to_document("boot", {"a": PROVING}), "boot", LATER).verdicts["a"]
    assert remembered.history.standing == PROVING.history.standing


def test_that_a_heartbeat_moved_is_remembered_and_its_value_is_not() -> None:
    """The value would be written each second."""
    document = to_document("boot", {"a": WELL._replace(history=MOVED)})
    later = MOVED._replace(heartbeat=Heartbeat(99, 80.0, moved=True))
    assert document == to_document("boot", {"a": WELL._replace(history=later)})
    assert from_document(document, "boot", LATER).verdicts["a"].history.heartbeat.moved


def test_of_a_well_card_there_is_nothing_to_remember() -> None:
    """The file of a node in peace has no cards in it."""
    assert to_document("boot", {"a": WELL})["cards"] == {}


def test_a_card_that_stays_bad_is_not_written_again() -> None:
    """The document of a fault does not change while it lasts."""
    later = FAILED._replace(history=NEW._replace(standing=Standing(True, 3, 600.0, None)))
    assert to_document("boot", {"a": FAILED}) == to_document("boot", {"a": later})


def test_another_boot_begins_anew() -> None:
    """Its clock starts at nought, and so do the cards."""
    assert from_document(to_document("boot", {"a": FAILED}), "another", LATER) == Recalled()


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
            verdicts = from_document(document, "boot", LATER).verdicts
        except RecallError:
            continue
        json.dumps(to_document("boot", verdicts))


@pytest.mark.parametrize(("key", "value"), [("flaps", 0), ("flaps", True), ("since", "now"), ("state", "fine")])
def test_a_refusal_names_card_and_key(key: str, value: object) -> None:
    """Whoever repairs the file knows where."""
    document = to_document("boot", {"a": FAILED})
    document["cards"]["a"][key] = value
    (fault,) = from_document(document, "boot", LATER).faults
    assert fault.startswith(f"cards.a.{key}: found")


@pytest.mark.parametrize("key", ["since", "heartbeat_since"])
def test_nonsense_about_one_card_lets_what_is_known_of_another_stand(key: str) -> None:
    """What is to come has not been: of this boot's clock it is no time."""
    stands = NEW._replace(heartbeat=Heartbeat(7, 3.0, moved=True, stands_still=True))
    verdicts = {"a": FAILED._replace(history=stands._replace(standing=FAILED.history.standing)), "b": FAILED}
    document = to_document("boot", verdicts)
    document["cards"]["a"][key] = LATER + 1
    recalled = from_document(document, "boot", LATER)
    assert list(recalled.verdicts) == ["b"]
    assert recalled.faults == (f"cards.a.{key}: found '1000001.0', expected seconds of this boot, 1e+06 at most",)


def test_a_heartbeat_of_all_ones_is_remembered_as_it_was() -> None:
    """As a card that is dead on the bus answers."""
    stands = Heartbeat(2**64 - 1, 3.0, moved=True, stands_still=True)
    document = json.loads(json.dumps(to_document("boot", {"a": WELL._replace(history=NEW._replace(heartbeat=stands))})))
    recalled = from_document(document, "boot", LATER)
    assert (recalled.faults, recalled.verdicts["a"].history.heartbeat) == ((), stands)


def test_which_cards_there_were_is_remembered() -> None:
    """By what tells them apart; nothing else of them stays true."""
    cards = {"A": warboy(0)._replace(uuid="A", pci_bdf="0000:01:00.0"), "0000:02:00.0": warboy(1, uuid=None)}
    document = json.loads(json.dumps(to_document("boot", {"A": WELL, "0000:02:00.0": WELL, "part": WELL}, cards)))
    assert from_document(document, "boot", LATER).cards == {
        unit_id: Reading("warboy", card.index, management=False, pci_bdf=card.pci_bdf, uuid=card.uuid)
        for unit_id, card in cards.items()
    }
