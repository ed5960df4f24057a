"""What is said of a card, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.hardware.reading import Problem, Reading
from furiosa_npu.health.history import NEW, Standing
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.health.verdict import UnknownOccupancy, Verdict
from tests.unit.readings import perf_regs, renegade, warboy

FREE = Circumstances()
HELD = FREE._replace(held=True)
RULES = Rules()
GOOD = NEW._replace(standing=Standing(good_before=True))


def _state(reading: Reading | None, circumstances: Circumstances = FREE) -> tuple[str, str]:
    verdict = judge(None, reading, circumstances, RULES, 1.0)
    return verdict.state, verdict.reason


@pytest.mark.parametrize("card", [warboy(), renegade()])
def test_a_good_unused_card_is_idle_at_once(card: Reading) -> None:
    """A card first seen good needs no second look."""
    assert judge(None, card, FREE, RULES, 7.0) == Verdict("idle", "", "", 7.0, (), GOOD)


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
    assert _state(card, FREE._replace(missing_files=("npu0pe0-1",))) == (
        "starting",
        "device file npu0pe0-1 is not there: the driver has not finished",
    )


def test_a_card_of_which_nothing_is_there_is_gone() -> None:
    """Not failed: there is nothing that could be."""
    assert _state(None)[0] == "gone"


def test_a_disabled_card_says_why() -> None:
    """The reason of the configuration is the verdict's."""
    assert _state(warboy(), FREE._replace(disabled="for repair")) == ("disabled", "for repair")


def test_a_held_card_that_is_disabled_keeps_telling_its_fault() -> None:
    """Its pod is on it, and somebody disables just what has failed; of a well or a free one the setting is told."""
    disabled = Circumstances(held=True, disabled="for repair")
    assert _state(warboy()._replace(alive=False), disabled)[0] == "failed"
    assert _state(warboy(), disabled) == ("disabled", "for repair")
    assert _state(warboy()._replace(alive=False), FREE._replace(disabled="for repair"))[0] == "disabled"


def test_an_occupied_renegade_is_seen_by_its_driver() -> None:
    """One PE in use is enough."""
    card = renegade()._replace(pe_occupancy=(False,) * 7 + (True,))
    assert _state(card)[0] == "occupied"
    assert _state(card, HELD) == ("allocated", "")


@pytest.mark.parametrize(("policy", "state"), [("offer", "idle"), ("withhold", "unreadable")])
def test_a_driver_without_a_sign_of_use_is_said_as_such(policy: UnknownOccupancy, state: str) -> None:
    """The setting decides, and the reason says that occupancy is unknown."""
    card = renegade()._replace(pe_occupancy=None)
    verdict = judge(None, card, FREE, RULES._replace(unknown_occupancy=policy), 1.0)
    assert (verdict.state, verdict.reason.split(":")[0]) == (state, "occupancy unknown")


def _states(*readings: tuple[float, Reading]) -> list[str]:
    """The states after readings at these times (seconds)."""
    verdict = None
    states: list[str] = []
    for now, reading in readings:
        verdict = judge(verdict, reading, FREE, RULES, now)
        states.append(verdict.state)
    return states


def test_an_open_perf_regs_waits_for_a_second_reading() -> None:
    """Warboy: readable is a hint; a counter that moves is use, one that stands still for long enough is none."""
    card = warboy()
    assert _states((0.0, perf_regs(card, 7)), (1.0, perf_regs(card, 8))) == ["starting", "occupied"]
    assert _states((0.0, perf_regs(card, 7)), (1.0, perf_regs(card, 7)), (1.5, perf_regs(card, 7))) == [
        "starting",
        "starting",
        "idle",
    ]
    assert _states((0.0, perf_regs(card, 7)), (0.2, perf_regs(card, None))) == ["starting", "idle"]


def test_two_readings_in_one_step_of_the_counter_do_not_free_the_card() -> None:
    """Use goes on being seen until the counter has stood still for longer than a step takes, or is closed."""
    counted = [(0.0, 1), (1.0, 2), (1.9, 2), (2.1, 3), (3.0, 3), (3.7, 3)]
    assert _states(*((now, perf_regs(warboy(), cycles)) for now, cycles in counted)) == [
        "starting",
        *["occupied"] * 4,
        "idle",
    ]


def test_a_file_that_only_a_capability_opens_needs_a_moving_counter() -> None:
    """Mode 000 says unused; standing still for a tenth of a second confirms it, moving denies it."""

    def closed(cycles: int) -> Reading:
        card = perf_regs(warboy(), cycles)
        return card._replace(perf_regs=tuple(regs._replace(mode_allows_reading=False) for regs in card.perf_regs))

    assert _states((0.0, closed(0)), (0.2, closed(0))) == ["starting", "idle"]
    assert _states((0.0, closed(0)), (0.2, closed(9))) == ["starting", "occupied"]
    assert _states((0.0, perf_regs(warboy(), 5)), (1.0, closed(0)), (1.2, closed(0))) == [
        "starting",
        "starting",
        "idle",
    ]


@given(times=st.lists(st.floats(0, 1e6), min_size=2, max_size=9).map(sorted))
def test_since_is_the_time_of_the_last_change(times: list[float]) -> None:
    """A verdict that stays the same keeps its time."""
    verdict = None
    for now in times:
        verdict = judge(verdict, warboy(), FREE, RULES, now)
    assert verdict == Verdict("idle", "", "", times[0], (), GOOD)


def test_what_the_active_probe_could_open_is_no_unknown_occupancy() -> None:
    """An older Renegade driver shows no use; all of the card's files could be opened: that is a sign of none."""
    card = renegade()._replace(pe_occupancy=None, busy=())
    verdict = judge(None, card, FREE, Rules(unknown_occupancy="withhold"), 1.0)
    assert (verdict.state, verdict.sign) == ("idle", "")
