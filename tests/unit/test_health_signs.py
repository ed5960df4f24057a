"""Each sign of health: what brings it, what ends it, and the settings that turn it off or move its bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.hardware.reading import PciLink, Problem, Reading, Sensor
from furiosa_npu.health import signs
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.health.probation import Trust
from furiosa_npu.health.verdict import Verdict, WarningSign
from tests.unit.readings import renegade, warboy

FREE = Circumstances()
RULES = Rules(trust=Trust(first_seconds=0))
ERRORS = (("AXI Post Error", 0), ("AXI Doorbell done", 0), ("Device Error", 0))


def history(*readings: tuple[float, Reading | None], rules: Rules = RULES) -> list[Verdict]:
    """The verdicts after readings at these times (seconds)."""
    verdicts: list[Verdict] = []
    for now, reading in readings:
        verdicts.append(judge(verdicts[-1] if verdicts else None, reading, FREE, rules, now))
    return verdicts


def said(*readings: tuple[float, Reading | None], rules: Rules = RULES) -> list[tuple[str, str]]:
    return [(verdict.state, verdict.sign) for verdict in history(*readings, rules=rules)]


def beat(seconds: int) -> Reading:
    return warboy()._replace(heartbeat_seconds=seconds)


def errors(*counts: int) -> Reading:
    counters = tuple((name, count) for (name, _), count in zip(ERRORS, counts, strict=True))
    return warboy()._replace(error_counters=counters)


def hot(celsius: float, critical: float | None = None, label: str = "PEAK") -> Reading:
    limit = None if critical is None else round(critical * 1000)
    return warboy()._replace(sensors=(Sensor("temp", 1, label, round(celsius * 1000), limit),))


FATAL: dict[str, Reading] = {
    "not-alive": warboy()._replace(alive=False),
    "temperature": hot(100.5),
    "missing": warboy()._replace(management=False),
    "malformed": warboy()._replace(problems=(Problem("/sys/x/alive", "'2'", "0 or 1"),)),
    "no-answer": warboy()._replace(unanswered="/sys/x/alive"),
}
"""A reading for each sign that one reading shows."""


@pytest.mark.parametrize("sign", FATAL)
def test_a_fatal_sign_keeps_the_card_back_and_can_be_turned_off(sign: str) -> None:
    """At once, with its name; turned off, the card is idle."""
    ((state, name),) = said((1.0, FATAL[sign]))
    assert (state in ("failed", "unreadable", "starting"), name) == (True, sign)
    off = RULES._replace(bounds=signs.bounds((f"{sign}=off",)))
    assert said((1.0, FATAL[sign]), rules=off) == [("idle", "")]


def test_a_heartbeat_that_never_moved_is_no_sign() -> None:
    """A recorded tree's stands still for ever, and an old driver's may."""
    assert said((0.0, beat(5)), (1e6, beat(5))) == [("idle", ""), ("idle", "")]


def test_a_heartbeat_that_moved_and_stands_still_for_30_s_is_a_firmware_that_hangs() -> None:
    """Not before; and it is over when it moves again."""
    assert said((0.0, beat(5)), (1.0, beat(6)), (30.9, beat(6)), (31.0, beat(6)), (32.0, beat(7))) == [
        *[("idle", "")] * 3,
        ("failed", "heartbeat-stopped"),
        ("idle", ""),
    ]


def test_a_heartbeat_that_goes_back_is_a_card_that_was_reset() -> None:
    """Said for one look; then the card proves itself."""
    assert said((0.0, beat(50)), (1.0, beat(3)), (2.0, beat(4))) == [
        ("idle", ""),
        ("failed", "heartbeat-reset"),
        ("idle", ""),
    ]


def test_a_card_that_was_away_has_a_heartbeat_of_its_own() -> None:
    """From 0 after it was gone is no reset that anybody has to be told of."""
    assert said((0.0, beat(50)), (1.0, None), (2.0, beat(0))) == [("idle", ""), ("gone", "gone"), ("idle", "")]


def test_error_counters_that_grow_are_a_sign_until_a_cycle_passes_without() -> None:
    """What they count already when the card is first seen is past."""
    assert said(
        (0.0, errors(7, 0, 0)),
        (1.0, errors(8, 0, 0)),
        (2.0, errors(9, 0, 1)),
        (3.0, errors(9, 0, 1)),
        (4.0, errors(9, 0, 1)),
    ) == [
        ("idle", ""),
        ("failed", "atr-error"),
        ("failed", "atr-error"),
        ("failed", "atr-error"),
        ("idle", ""),
    ]


def test_doorbell_done_counts_work_and_no_error() -> None:
    """However fast it grows."""
    assert said((0.0, errors(0, 0, 0)), (1.0, errors(0, 10**9, 0))) == [("idle", ""), ("idle", "")]


def test_the_bound_of_errors_is_how_many_grow_from_look_to_look() -> None:
    """With atr-error=10, nine are none."""
    rules = RULES._replace(bounds=signs.bounds(("atr-error=10",)))
    assert said((0.0, errors(0, 0, 0)), (1.0, errors(9, 0, 0)), (2.0, errors(19, 0, 0)), rules=rules) == [
        ("idle", ""),
        ("idle", ""),
        ("failed", "atr-error"),
    ]


def test_temperature_is_held_against_the_drivers_critical_value_where_there_is_one() -> None:
    """Else against the bound, of the peak alone."""
    assert said((0.0, hot(80, critical=79))) == [("failed", "temperature")]
    assert said((0.0, hot(110, critical=120))) == [("idle", "")]
    assert said((0.0, hot(99))) == [("idle", "")]
    assert said((0.0, hot(91)), rules=RULES._replace(bounds=signs.bounds(("temperature=90",)))) == [
        ("failed", "temperature")
    ]


def test_a_card_that_gets_hot_again_is_told_in_the_same_words() -> None:
    """The bound that was crossed, and no value that moves: what is told of it is counted, and not news each time."""
    first, second, _, again = history((0.0, hot(101)), (1.0, hot(102)), (2.0, hot(50)), (3.0, hot(103)))
    assert (second.reason, second.since) == (first.reason, 0.0)
    assert first.reason == again.reason == "sensor PEAK is over the bound of 100 °C"


def test_a_firmware_that_hangs_again_is_told_in_the_same_words() -> None:
    """Whatever its heartbeat stood at."""
    stops = [(float(now), warboy()._replace(heartbeat_seconds=value)) for now, value in ((0, 1), (1, 2), (31, 2))]
    again = [(now + 40, card._replace(heartbeat_seconds=(card.heartbeat_seconds or 0) + 40)) for now, card in stops]
    told = [verdict.reason for verdict in history(*stops, *again) if verdict.sign == "heartbeat-stopped"]
    assert told == ["the heartbeat stands still for 30 s: the firmware hangs"] * 2


def test_a_file_whose_rubbish_changes_keeps_its_first_words() -> None:
    """The same file is no news each second; another one is."""

    def bad(file: str, found: str) -> Reading:
        return warboy()._replace(problems=(Problem(f"/sys/x/{file}", found, "0 or 1"),))

    first, second, third = history((0.0, bad("alive", "'a'")), (1.0, bad("alive", "'b'")), (2.0, bad("version", "'b'")))
    assert (second.reason, second.since) == (first.reason, 0.0)
    assert (third.reason, third.since) == ("/sys/x/version: found 'b', expected 0 or 1", 2.0)


def test_a_card_that_was_never_read_is_not_idle_whatever_is_turned_off() -> None:
    """Nobody knows what it is."""
    unread = Reading("warboy", 0, management=False, device_files=warboy().device_files, unanswered="/sys/x/alive")
    off = RULES._replace(bounds=signs.bounds(("no-answer=off", "missing=off")))
    assert said((0.0, unread), rules=off) == [("starting", "missing")]


WARNINGS: dict[str, tuple[Reading, tuple[WarningSign, ...]]] = {
    "narrow": (
        warboy()._replace(pci_link=PciLink(4, 8, 16.0, 16.0)),
        (WarningSign("pcie-link", "the PCIe link is x4 wide, expected x8"),),
    ),
    "slow": (
        warboy()._replace(pci_link=PciLink(8, 8, 8.0, 16.0)),
        (WarningSign("pcie-link", "the PCIe link runs at 8 GT/s, expected 16"),),
    ),
    "unknown link": (warboy()._replace(pci_link=PciLink(None, 8, None, None)), ()),
    "hot": (
        renegade()._replace(throttle_reasons=0x3),
        (WarningSign("throttling", "the card is slowed down: thermal slowdown"),),
    ),
    "at rest": (renegade()._replace(throttle_reasons=0x1), ()),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_a_warning_keeps_no_card_back(case: str) -> None:
    """It is said beside the state; turned off, it is not."""
    card, expected = WARNINGS[case]
    (verdict,) = history((0.0, card))
    assert (verdict.state, verdict.warnings) == ("idle", expected)
    off = RULES._replace(bounds=signs.bounds(("pcie-link=off", "throttling=off")))
    assert history((0.0, card), rules=off)[0].warnings == ()


@pytest.mark.parametrize(
    ("text", "name", "bound"),
    [
        ("temperature=90", "temperature", 90.0),
        ("throttling=0x2", "throttling", 2.0),
        ("no-answer=0.5", "no-answer", 0.5),
    ],
)
def test_a_setting_moves_a_bound(text: str, name: str, bound: float) -> None:
    """Decimal, or hexadecimal for a mask; the others stay."""
    assert signs.bounds((text,)) == {**signs.DEFAULT_BOUNDS, name: bound}


def test_a_heartbeat_has_to_stand_still_for_longer_than_it_is_told() -> None:
    """A card in peace is told every five seconds."""
    with pytest.raises(ValueError, match=r"heartbeat-stopped=BOUND with a bound from 10 on, in seconds"):
        signs.bounds(("heartbeat-stopped=9",))
    assert signs.bounds(("heartbeat-stopped=10",))["heartbeat-stopped"] == 10.0
    with pytest.raises(ValueError, match=r"no-answer=BOUND with a bound from 0\.1 on, in seconds"):
        signs.bounds(("no-answer=0.05",))
    assert signs.bounds(("no-answer=0.1",))["no-answer"] == 0.1


def test_the_last_word_on_a_sign_counts() -> None:
    """Off, on and a bound may follow each other."""
    assert signs.bounds(("temperature=off", "temperature=on")) == signs.DEFAULT_BOUNDS
    assert "temperature" not in signs.bounds(("temperature=90", "temperature=off"))


@given(
    text=st.text(max_size=20) | st.sampled_from(["temperature=", "temperature=-1", "temperature=nan", "not-alive=3"])
)
def test_what_is_no_setting_is_refused(text: str) -> None:
    """`is_setting` says what `bounds` takes."""
    if signs.is_setting(text):
        assert set(signs.bounds((text,))) <= set(signs.NAMES)
    else:
        with pytest.raises(ValueError, match=r"SIGN=off|=off|BOUND"):
            signs.bounds((text,))
