"""What is said of a card, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.hardware.reading import Problem, Reading
from furiosa_npu.health.judge import Circumstances, judge
from furiosa_npu.health.verdict import UnknownOccupancy, Verdict
from tests.unit.readings import perf_regs, renegade, warboy

FREE = Circumstances(held=False, disabled=None, unknown_occupancy="offer", required_files=())
HELD = FREE._replace(held=True)


def _state(reading: Reading | None, circumstances: Circumstances = FREE) -> tuple[str, str]:
    verdict = judge(None, reading, circumstances, 1.0)
    return verdict.state, verdict.reason


@pytest.mark.parametrize("card", [warboy(), renegade()])
def test_a_good_unused_card_is_idle_at_once(card: Reading) -> None:
    """A card first seen good needs no second look."""
    assert judge(None, card, FREE, 7.0) == Verdict("idle", "", 7.0)


def test_a_card_that_does_not_live_has_failed() -> None:
    """`alive` 0 is the driver's own word."""
    assert _state(warboy()._replace(alive=False))[0] == "failed"


def test_a_card_with_a_problem_is_unreadable_and_says_which() -> None:
    """The first problem is the reason, with its path and expectation; others are counted."""
    problem = Problem("/sys/x/alive", "'2'", "0 or 1")
    card = warboy()._replace(problems=(problem, problem))
    assert _state(card) == ("unreadable", "/sys/x/alive: found '2', expected 0 or 1 (and 1 more)")


@pytest.mark.parametrize("half", [warboy()._replace(management=False), warboy()._replace(device_files=())])
def test_a_driver_that_is_half_there_is_starting(half: Reading) -> None:
    """Device files without a management folder, or the other way round, is neither idle nor failed."""
    assert _state(half)[0] == "starting"


def test_a_card_without_the_device_file_to_name_is_starting() -> None:
    """NPU_DEVNAME never names a file that is not there."""
    card = warboy()
    card = card._replace(device_files=tuple(file for file in card.device_files if file.name != "npu0pe0-1"))
    assert _state(card, FREE._replace(required_files=("npu0pe0-1",))) == (
        "starting",
        "device file npu0pe0-1 is not there: the driver has not finished",
    )


def test_a_card_of_which_nothing_is_there_is_gone() -> None:
    """Not failed: there is nothing that could be."""
    assert _state(None)[0] == "gone"


def test_a_disabled_card_says_why() -> None:
    """The reason of the configuration is the verdict's."""
    assert _state(warboy(), FREE._replace(disabled="for repair")) == ("disabled", "for repair")


def test_an_occupied_renegade_is_seen_by_its_driver() -> None:
    """One PE in use is enough."""
    card = renegade()._replace(pe_occupancy=(False,) * 7 + (True,))
    assert _state(card)[0] == "occupied"
    assert _state(card, HELD) == ("allocated", "")


@pytest.mark.parametrize(("policy", "state"), [("offer", "idle"), ("withhold", "unreadable")])
def test_a_driver_without_a_sign_of_use_is_said_as_such(policy: UnknownOccupancy, state: str) -> None:
    """The setting decides, and the reason says that occupancy is unknown."""
    card = renegade()._replace(pe_occupancy=None)
    verdict = judge(None, card, FREE._replace(unknown_occupancy=policy), 1.0)
    assert (verdict.state, verdict.reason.split(":")[0]) == (state, "occupancy unknown")


def test_an_open_perf_regs_waits_for_a_second_reading() -> None:
    """Warboy: readable is a hint; a counter that moved is use, one that stands is none."""
    first = judge(None, perf_regs(warboy(), 100), FREE, 1.0)
    assert first.state == "starting"
    assert judge(first, perf_regs(warboy(), 200), FREE, 2.0).state == "occupied"
    assert judge(first, perf_regs(warboy(), 100), FREE, 2.0).state == "idle"
    assert judge(first, perf_regs(warboy(), None), FREE, 2.0).state == "idle"


def test_use_goes_on_being_seen_while_the_counter_moves_and_ends_with_it() -> None:
    """Each reading is held against the one before."""
    verdict = judge(None, perf_regs(warboy(), 1), FREE, 0.0)
    states = []
    for now, cycles in enumerate([2, 3, 3], start=1):
        verdict = judge(verdict, perf_regs(warboy(), cycles), FREE, float(now))
        states.append(verdict.state)
    assert states == ["occupied", "occupied", "idle"]


@given(times=st.lists(st.floats(0, 1e6), min_size=2, max_size=9).map(sorted))
def test_since_is_the_time_of_the_last_change(times: list[float]) -> None:
    """A verdict that stays the same keeps its time."""
    verdict = None
    for now in times:
        verdict = judge(verdict, warboy(), FREE, now)
    assert verdict == Verdict("idle", "", times[0])
