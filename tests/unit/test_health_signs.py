"""Each sign of health: what brings it, what ends it, and the settings that turn it off or move its bound."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.agent.command_line import SettingsError, parse_command_line
from furiosa_npu.agent.config_file import read_config
from furiosa_npu.device_plugin.settings import PROGRAM
from furiosa_npu.hardware.reading import PciLink, Problem, Reading, Sensor
from furiosa_npu.health import signs
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.health.probation import Trust
from furiosa_npu.health.verdict import Verdict, WarningSign
from tests.unit.readings import perf_regs, renegade, warboy

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
def test_a_fatal_sign_keeps_the_card_back(sign: str) -> None:
    """At once, with its name."""
    ((state, name),) = said((1.0, FATAL[sign]))
    assert (state in ("failed", "unreadable", "starting"), name) == (True, sign)


@pytest.mark.parametrize("sign", [sign for sign in FATAL if sign != "no-answer"])
def test_a_fatal_sign_can_be_turned_off(sign: str) -> None:
    """The card is idle then; all but the one without which nothing is known of it."""
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


def test_the_bound_of_errors_is_how_many_grow_from_look_to_look_where_these_are_a_second_apart() -> None:
    """With atr-error=10, nine are none."""
    rules = RULES._replace(bounds=signs.bounds(("atr-error=10",)))
    assert said((0.0, errors(0, 0, 0)), (1.0, errors(9, 0, 0)), (2.0, errors(19, 0, 0)), rules=rules) == [
        ("idle", ""),
        ("idle", ""),
        ("failed", "atr-error"),
    ]


def a_second(count: int, pause: float) -> list[tuple[float, Reading]]:
    """Ten seconds of looks with this pause, while errors come so often."""
    return [(number * pause, errors(round(count * number * pause), 0, 0)) for number in range(round(10 / pause) + 1)]


@pytest.mark.parametrize("pause", [0.2, 0.21, 0.25, 0.5, 0.97, 1.0, 1.03])
def test_errors_are_counted_over_a_second_however_often_is_looked(pause: float) -> None:
    """Looks are 0.2 s apart while any card waits for a second reading: with atr-error=6, seven a second are a sign then
    too, without a break once they are seen; and four are none."""
    rules = RULES._replace(bounds=signs.bounds(("atr-error=6",)))
    states = [state for state, _ in said(*a_second(7, pause), rules=rules)]
    seen = states.index("failed")
    assert seen * pause <= 1.1
    assert set(states[seen:]) == {"failed"}
    assert {state for state, _ in said(*a_second(4, pause), rules=rules)} == {"idle"}


def test_errors_far_from_each_other_do_not_add_up() -> None:
    """Though the card is not judged while nothing moves."""
    rules = RULES._replace(bounds=signs.bounds(("atr-error=6",)))
    assert said((0.0, errors(0, 0, 0)), (0.5, errors(3, 0, 0)), (4.9, errors(6, 0, 0)), rules=rules) == [
        *[("idle", "")] * 3
    ]


def test_errors_that_were_enough_are_over_as_soon_where_is_looked_more_often() -> None:
    """When 1.5 s pass after the last of them."""
    counts = [errors(0, 0, 0), *[errors(1, 0, 0)] * 9]
    assert said(*((number * 0.2, card) for number, card in enumerate(counts))) == [
        ("idle", ""),
        *[("failed", "atr-error")] * 8,
        ("idle", ""),
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


ALL_OFF = RULES._replace(bounds=signs.bounds([f"{name}=off" for name in signs.NAMES if name != "no-answer"]))


def test_a_card_that_was_never_read_is_not_idle_whatever_is_turned_off() -> None:
    """Nobody knows what it is."""
    unread = Reading("warboy", 0, management=False, device_files=warboy().device_files, unanswered="/sys/x/alive")
    assert said((0.0, unread), rules=ALL_OFF) == [("unreadable", "no-answer")]


def test_a_card_in_use_whose_driver_hangs_does_not_become_idle_whatever_is_turned_off() -> None:
    """Its last reading comes again and again: counters that stand still in it say nothing."""
    busy = [perf_regs(warboy(), cycles) for cycles in (1, 2)]
    hangs = busy[1]._replace(unanswered="/sys/x/perf_regs")
    verdicts = history((0.0, busy[0]), (1.0, busy[1]), (5.0, hangs), (60.0, hangs), rules=ALL_OFF)
    assert [verdict.state for verdict in verdicts] == ["starting", "occupied", "unreadable", "unreadable"]
    assert verdicts[-1].reason == "no answer from /sys/x/perf_regs in 2 s: the driver hangs"


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


EXPECTED = {
    "not-alive": "not-alive=off or not-alive=on: this sign has no bound",
    "temperature": "temperature=off or temperature=on, or temperature=BOUND with a number over 0, 1000000000 at most "
    "(degrees Celsius)",
    "heartbeat-stopped": "heartbeat-stopped=off or heartbeat-stopped=on, or heartbeat-stopped=BOUND with a number "
    "from 10 to 1000000000 (seconds)",
    "atr-error": "atr-error=off or atr-error=on, or atr-error=BOUND with a whole number from 1 to 1000000000 (errors)",
    "throttling": "throttling=off or throttling=on, or throttling=BOUND with a whole number from 1 to 1000000000 "
    "(mask of `throttle_reason`)",
    "no-answer": "no-answer=on, or no-answer=BOUND with a number from 0.1 to 10 (seconds); never off: a card that does "
    "not answer cannot be vouched for",
}


@pytest.mark.parametrize(
    "text",
    [
        *("not-alive=5", "not-alive=", "temperature=hot", "temperature=1_00", "temperature=-1", "temperature=nan"),
        *("temperature=0", "temperature= 90", "temperature=\u0663", "temperature=2e9", "heartbeat-stopped=9"),
        *("throttling=0.5", "throttling=2.5", "throttling=0", "throttling=0x", "throttling=0x1_0"),
        *(f"throttling=0x{'f' * 300}", "atr-error=0.5", "atr-error=1.5", "atr-error=0"),
        *("no-answer=off", "no-answer=0.05", "no-answer=10.1", "no-answer=86400"),
    ],
)
def test_a_setting_that_will_not_do_is_told_what_would_for_its_sign(text: str) -> None:
    """The unit, the least, the most, that it is a mask or a count, that there is no bound: on the command line, and in
    the same words for the `--config` file."""
    name = text.partition("=")[0]
    with pytest.raises(SettingsError) as refused:
        parse_command_line(PROGRAM, (f"--sign={text}",))
    assert str(refused.value) == f"--sign: found '{text}', expected {EXPECTED[name]}"
    with pytest.raises(SettingsError) as refused:
        read_config(json.dumps({"sign": [text]}), PROGRAM.options, "config.yaml")
    assert str(refused.value).endswith(f", expected {EXPECTED[name]}")


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        *(("heartbeat-stopped=10", 10.0), ("no-answer=0.1", 0.1), ("no-answer=10", 10.0), ("atr-error=1", 1.0)),
        *(("throttling=1e+06", 1e6), ("throttling=0x1FF", 511.0), ("temperature=90.5", 90.5)),
    ],
)
def test_the_least_and_the_most_will_do(text: str, bound: float) -> None:
    """As do numbers as people write them, and as Helm does."""
    assert signs.bounds((text,))[text.partition("=")[0]] == bound


def test_the_last_word_on_a_sign_counts() -> None:
    """Off, on and a bound may follow each other."""
    assert signs.bounds(("temperature=off", "temperature=on")) == signs.DEFAULT_BOUNDS
    assert "temperature" not in signs.bounds(("temperature=90", "temperature=off"))


@given(
    text=st.text(max_size=20) | st.sampled_from(["temperature=", "temperature=-1", "temperature=nan", "not-alive=3"])
)
def test_what_is_no_setting_is_refused(text: str) -> None:
    """`is_setting` and `bounds` take the same; `no-answer` is always there."""
    try:
        assert signs.is_setting(text)
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            signs.bounds((text,))
    else:
        assert {"no-answer"} <= set(signs.bounds((text,))) <= set(signs.NAMES)
