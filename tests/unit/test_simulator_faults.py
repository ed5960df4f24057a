"""Each fault as the real reader meets it: what it says of the card, and that all is well once the fault is over."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.reading import FAMILIES, Family, Problem, Reading
from furiosa_npu.simulator import ChangeError, FaultError, Simulation, parse_scenario
from furiosa_npu.simulator.faults import KINDS

BOTH = "cards: [{family: warboy, critical_celsius: 95}, {family: renegade, critical_celsius: 95}]"
WARBOY, RENEGADE = "0000:01:00.0", "0000:02:00.0"
CARD: dict[Family, str] = {"warboy": WARBOY, "renegade": RENEGADE}
MANAGEMENT: dict[Family, str] = {"warboy": "class/npu_mgmt/npu0_mgmt", "renegade": "class/rngd_mgmt/rngd!npu0mgmt"}
WIDEST: dict[Family, str] = {"warboy": "npu0pe0-1", "renegade": "npu0pe0-3"}
RUBBISH = "'\\x7f?rubbish='"


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation.create(f"{tmp_path}/sim", parse_scenario(BOTH), plain_files=True)


def _read(simulation: Simulation, family: Family) -> Reading:
    return next(reading for reading in read_cards(simulation.roots) if reading.family == family)


Expect = Callable[[Reading, Simulation], Reading]


def _problem(file: str, found: str, expected: str, **facts: Any) -> Expect:
    """The reading as it was but for these facts, and a problem with this management file."""

    def told(before: Reading, simulation: Simulation) -> Reading:
        path = f"{simulation.roots.sysfs}/{MANAGEMENT[before.family]}/{file}"
        return before._replace(problems=(Problem(path, found, expected),), **facts)

    return told


def _sensors(before: Reading, _simulation: Simulation) -> Reading:
    hot = tuple(s._replace(value=120_000) if s.label == "PEAK" else s for s in before.sensors)
    return before._replace(sensors=hot)


def _without_management(before: Reading, simulation: Simulation) -> Reading:
    folder = f"{simulation.roots.sysfs}/{MANAGEMENT[before.family]}"
    expected = "the management folder of npu0: the driver has not finished, or the card left the bus"
    files = before.device_files
    return Reading(before.family, 0, False, files, problems=(Problem(folder, "no such folder", expected),))


def _without_device_files(before: Reading, simulation: Simulation) -> Reading:
    expected = "device files of npu0: the driver has not finished, or the card left the bus"
    return before._replace(device_files=(), problems=(Problem(simulation.roots.devfs, "none", expected),))


def _without(name: str | None) -> Expect:
    def told(before: Reading, _simulation: Simulation) -> Reading:
        gone = name or WIDEST[before.family]
        return before._replace(device_files=tuple(file for file in before.device_files if file.name != gone))

    return told


def _link(before: Reading, **now: Any) -> Reading:
    assert before.pci_link is not None
    return before._replace(pci_link=before.pci_link._replace(**now))


SECONDS = "whole seconds, 0 or more"
READS: dict[str, Expect] = {
    "not-alive": lambda before, _: before._replace(alive=False),
    "errors": lambda before, _: before._replace(
        error_counters=tuple((name, int(name.endswith("Error"))) for name, _ in before.error_counters)
    ),
    "heartbeat-stopped": lambda before, _: before,
    "heartbeat-reset": lambda before, _: before._replace(heartbeat_seconds=0),
    "temperature": _sensors,
    "temperature=120": _sensors,
    "link-narrow": lambda before, _: _link(before, width={"warboy": 4, "renegade": 8}[before.family]),
    "link-slow": lambda before, _: _link(before, speed_gts={"warboy": 8.0, "renegade": 16.0}[before.family]),
    "no-management": _without_management,
    "no-device-files": _without_device_files,
    "device-file-missing": _without(None),
    "device-file-missing=pe1": _without("npu0pe1"),
    "device-file-missing=npu0pe1": _without("npu0pe1"),
    "malformed": _problem("heartbeat", RUBBISH, SECONDS, heartbeat_seconds=None),
    "malformed=device_uuid": _problem("device_uuid", RUBBISH, "one line of printable text", uuid=None),
    "malformed=atr_error": _problem(
        "atr_error", RUBBISH, "printable text, its lines ended by line feeds", error_counters=()
    ),
    "empty": _problem("heartbeat", "''", SECONDS, heartbeat_seconds=None),
    "empty=device_uuid": lambda before, _: before._replace(uuid=None),
    "missing": _problem("heartbeat", "no such file", "a file that every driver has", heartbeat_seconds=None),
    "missing=version": _problem("version", "no such file", "a file that every driver has", driver_version=None),
}
"""What a reading becomes; the mode 000 of `unreadable` and faults of system calls have tests of their own."""


def _cases() -> list[tuple[str, Family]]:
    cases = [(fault, family) for fault in READS for family in FAMILIES]
    # without its version a Renegade's device_state cannot be told either, which is another test's
    return [(fault, family) for fault, family in cases if (fault, family) != ("missing=version", "renegade")]


@pytest.mark.parametrize(("fault", "family"), _cases())
def test_the_reader_sees_the_fault_on_this_card_alone(simulation: Simulation, fault: str, family: Family) -> None:
    """The whole reading is as before but for what the fault changes, and the other card's is as before."""
    simulation.advance(7)
    before = {each: _read(simulation, each) for each in FAMILIES}
    assert [reading.problems for reading in before.values()] == [(), ()]
    simulation.fail(CARD[family], fault)
    after = {each: _read(simulation, each) for each in FAMILIES}
    assert after == before | {family: READS[fault](before[family], simulation)}
    if fault not in ("errors", "heartbeat-reset"):
        simulation.recover(CARD[family])
        assert _read(simulation, family) == before[family]


def test_a_renegade_without_a_version_has_a_state_of_unknown_meaning(simulation: Simulation) -> None:
    """The generation of the driver decides what device_state means."""
    simulation.fail(RENEGADE, "missing=version")
    reading = _read(simulation, "renegade")
    assert (reading.alive, reading.driver_version, len(reading.problems)) == (None, None, 2)


def test_every_fault_of_plain_files_is_in_the_table() -> None:
    """A new kind wants a line above, or a test of its own."""
    own = {"unreadable", "throttling"}
    assert {fault.partition("=")[0] for fault in READS} == {k.name for k in KINDS if k.through is None} - own


@pytest.mark.parametrize(("fault", "shown"), [("throttling", 0x2), ("throttling=0x42", 0x42), ("throttling=80", 0x80)])
def test_a_renegade_says_why_it_is_throttled(simulation: Simulation, fault: str, shown: int) -> None:
    """The mask, in hexadecimal with 0x or without; it is idle (1) without a fault."""
    simulation.fail(RENEGADE, fault)
    assert _read(simulation, "renegade").throttle_reasons == shown
    simulation.recover(RENEGADE, "throttling")
    assert _read(simulation, "renegade").throttle_reasons == 1


def test_a_driver_that_shows_no_throttling_refuses_it(tmp_path: Path, simulation: Simulation) -> None:
    """Warboy's, and a Renegade's of before 2024.2."""
    with pytest.raises(ChangeError, match="npu0: Warboy's driver shows no throttling"):
        simulation.fail(WARBOY, "throttling")
    old = parse_scenario("cards: [{family: renegade, driver_version: '2024.1.0, abc1234'}]")
    with pytest.raises(ChangeError, match=r"its driver '2024\.1\.0, abc1234' is of before 2024\.2"):
        Simulation.create(f"{tmp_path}/old", old, plain_files=True).fail("npu0", "throttling")


def test_an_older_renegade_driver_says_alive_with_1_and_shows_no_use(tmp_path: Path) -> None:
    """The reader takes the meaning from the version: alive, then not, and no sign of use or throttling."""
    cards = parse_scenario("cards: [{family: renegade, driver_version: '2023.3.0, abc1234'}]")
    simulation = Simulation.create(str(tmp_path), cards, plain_files=True)
    reading = _read(simulation, "renegade")
    assert (reading.alive, reading.driver_version, reading.problems) == (True, "2023.3.0, abc1234", ())
    assert (reading.pe_occupancy, reading.governor, reading.throttle_reasons) == (None, None, None)
    assert Path(simulation.roots.sysfs, MANAGEMENT["renegade"], "device_state").read_text() == "1\n"
    simulation.fail("npu0")
    assert _read(simulation, "renegade") == reading._replace(alive=False)


def test_an_unreadable_file_is_closed_to_all_but_root(simulation: Simulation) -> None:
    """Its mode is 000; an ordinary user's reader says so."""
    simulation.fail(WARBOY, "unreadable")
    path = f"{simulation.roots.sysfs}/{MANAGEMENT['warboy']}/heartbeat"
    assert os.stat(path).st_mode & 0o777 == 0
    simulation.recover(WARBOY)
    assert os.stat(path).st_mode & 0o777 == 0o444


def _counters(simulation: Simulation, family: Family) -> tuple[int, int]:
    """(what all lines `Error` say, what all lines `Doorbell done` say)."""
    counters = dict(_read(simulation, family).error_counters)
    (errors,) = {count for name, count in counters.items() if name.endswith("Error")}
    (doorbells,) = {count for name, count in counters.items() if name.endswith("Doorbell done")}
    return errors, doorbells


@pytest.mark.parametrize("family", FAMILIES)
def test_errors_grow_while_the_fault_lasts_and_never_go_back(simulation: Simulation, family: Family) -> None:
    """Once at the command, each second after it; over, they stand still."""
    seen = [_counters(simulation, family)]
    simulation.fail(CARD[family], "errors")
    seen.append(_counters(simulation, family))
    simulation.advance(3)
    seen.append(_counters(simulation, family))
    simulation.recover(CARD[family], "errors")
    simulation.advance(5)
    seen.append(_counters(simulation, family))
    assert seen == [(0, 0), (1, 0), (4, 0), (4, 0)]


@pytest.mark.parametrize("family", FAMILIES)
def test_doorbells_grow_with_work_and_are_no_errors(simulation: Simulation, family: Family) -> None:
    """A second of one PE at work is one; nothing while nobody works."""
    simulation.occupy(CARD[family], ["0-1"])
    simulation.advance(5)
    assert _counters(simulation, family) == (0, 10)
    simulation.release(CARD[family])
    simulation.advance(5)
    assert _counters(simulation, family) == (0, 10)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_heartbeat_stops_or_starts_anew_while_the_card_works_on(simulation: Simulation, family: Family) -> None:
    """Stopped it stands; recovered it goes on from there; reset it counts from 0; the PEs' counters move all along."""
    simulation.occupy(CARD[family], ["0"])
    heartbeats = []
    for command, fault in (
        ("fail", "heartbeat-stopped"),
        ("recover", "heartbeat-stopped"),
        ("fail", "heartbeat-reset"),
    ):
        simulation.advance(4)
        getattr(simulation, command)(CARD[family], fault)
        simulation.advance(3)
        heartbeats.append(_read(simulation, family).heartbeat_seconds)
    state = next(card for card in simulation.state().cards if card.card.family == family)
    assert (heartbeats, state.holds[0].seconds, state.faults) == ([4, 7, 3], 21, ())


def test_faults_come_together_and_go_one_by_one(simulation: Simulation) -> None:
    """A card has one temperature, and as many broken files as there are; recover takes all of a name, or one of it."""

    def faults() -> list[str]:
        return [str(fault) for fault in simulation.state().cards[0].faults]

    for fault in ("temperature=90", "missing", "missing=alive", "temperature=95.5", "syscall=alive:EIO"):
        simulation.fail(WARBOY, fault)
    simulation.fail(WARBOY, "syscall=alive:ENODEV")
    expected = ["missing=alive", "missing=heartbeat", "syscall=alive:ENODEV", "temperature=95.5"]
    assert faults() == expected
    simulation.recover(WARBOY, "missing=alive")
    assert faults() == expected[1:]
    simulation.recover(WARBOY, "syscall")
    simulation.recover(WARBOY, "errors")
    assert faults() == ["missing=heartbeat", "temperature=95.5"]
    simulation.recover(WARBOY)
    assert faults() == []


FILES = "atr_error, busname, dev, device_led, device_sn, device_type, device_uuid, fw_version, heartbeat"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            "melted",
            "one of not-alive, errors, heartbeat-stopped, heartbeat-reset, temperature[=DEGREES], throttling[=MAS",
        ),
        ("", "one of not-alive"),
        ("errors=3", "errors, which has no value"),
        ("temperature=hot", "a number of degrees Celsius from -273.15 to 1000"),
        ("temperature=nan", "a number of degrees Celsius from -273.15 to 1000"),
        ("throttling=0xg", "a mask of at most 32 bits in hexadecimal, such as 0x2"),
        ("malformed=../dev", f"FILE one of alive, {FILES}"),
        ("empty=pe_occupancy", f"FILE one of alive, {FILES}"),
        ("device-file-missing=pe2", "NAME one of _mgmt, ch0, ch1, ch2, ch3, npu, pe0, pe0-1, pe1 (warboy)"),
        ("syscall", "syscall=FILE:ERRNO"),
        ("syscall=heartbeat", "FILE:ERRNO with ERRNO one of EACCES, EIO, ENODEV"),
        ("syscall=heartbeat:EBUSY", "FILE:ERRNO with ERRNO one of EACCES, EIO, ENODEV"),
        ("syscall=nothing:EIO", f"FILE one of alive, {FILES}"),
        ("hang", "hang=FILE"),
        ("hang=", "hang=FILE"),
        ("hang-open=pe2", "NAME one of _mgmt, ch0, ch1, ch2, ch3, npu, pe0, pe0-1, pe1 (warboy)"),
    ],
)
def test_a_fault_that_there_is_none_of_is_told_with_what_there_is(
    simulation: Simulation, fault: str, expected: str
) -> None:
    """Nothing changes."""
    before = simulation.state()
    with pytest.raises(FaultError) as caught:
        simulation.fail(WARBOY, fault)
    assert str(caught.value).startswith(f"FAULT: found {fault!r}, expected {expected}")
    assert simulation.state() == before


def test_perf_regs_are_warboys_alone(simulation: Simulation) -> None:
    """The registers of all its PEs at once; a Renegade has no such file."""
    assert [str(fault) for fault in simulation.fail(WARBOY, "hang=perf_regs").cards[0].faults] == ["hang=perf_regs"]
    with pytest.raises(FaultError, match=r"renegade has no perf_regs"):
        simulation.fail(RENEGADE, "hang=perf_regs")


@pytest.mark.parametrize("fault", ["no-device-files", "device-file-missing=pe0-1"])
def test_a_device_file_that_is_missing_cannot_be_opened(simulation: Simulation, fault: str) -> None:
    """Nobody opens it anew; who had it open keeps it."""
    simulation.occupy(RENEGADE, ["0-1"])
    simulation.fail(RENEGADE, fault)
    assert [hold.suffix for hold in simulation.state().cards[1].holds] == ["pe0-1"]
    simulation.release(RENEGADE)
    with pytest.raises(ChangeError, match="npu0pe0-1: has no device file, for the card has a fault"):
        simulation.occupy(RENEGADE, ["0-1"])
