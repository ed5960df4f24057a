"""A card read again and again: what moves is seen each time, what lasts at a whole look, another card at once."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from furiosa_npu.hardware.card_reader import CardReader
from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.inventory import Found, Lister
from furiosa_npu.hardware.reading import Roots
from furiosa_npu.simulator import Simulation, parse_scenario


@pytest.fixture(params=["warboy", "renegade"])
def simulation(request: pytest.FixtureRequest, tmp_path: Path) -> Simulation:
    """Two cards of one family."""
    cards = parse_scenario(f"cards: [{{family: {request.param}}}, {{family: {request.param}}}]")
    return Simulation.create(str(tmp_path), cards, plain_files=True)


class Reader:
    """The reader of the first card, and the listing that finds it."""

    def __init__(self, roots: Roots) -> None:
        self.lister = Lister(roots)
        self.reader = CardReader(roots, self.found.family, 0)

    @property
    def found(self) -> Found:
        return self.lister.look(anew=False).cards[0]


def management(simulation: Simulation) -> Path:
    card = simulation.state().cards[0].card
    family = {"warboy": "npu_mgmt/npu0_mgmt", "renegade": "rngd_mgmt/rngd!npu0mgmt"}
    return Path(simulation.roots.sysfs, "class", family[card.family])


def write(path: Path, text: str) -> None:
    path.chmod(0o644)
    path.write_text(text)


def write_anew(path: Path, text: str) -> None:
    """Also where it is gone."""
    path.unlink(missing_ok=True)
    path.write_text(text)


def test_a_look_at_the_signs_tells_what_a_whole_one_does(simulation: Simulation) -> None:
    """In peace, and after time went on and somebody came to use the card."""
    reader = Reader(simulation.roots)
    assert reader.reader.whole(reader.found) == read_cards(simulation.roots)[0]
    simulation.occupy("npu0")
    simulation.advance(7)
    assert reader.reader.signs(reader.found) == read_cards(simulation.roots)[0]
    simulation.fail("npu0")
    assert reader.reader.signs(reader.found).alive is False


def test_a_temperature_that_is_told_as_an_average_is_read_each_time(simulation: Simulation) -> None:
    """`temp1_average` is a sensor's value where there is no `temp1_input`."""
    reader = Reader(simulation.roots)
    bdf = reader.reader.whole(reader.found).pci_bdf
    (folder,) = Path(simulation.roots.sysfs, "bus/pci/devices", str(bdf), "hwmon").iterdir()
    for place in folder.glob("temp*_input"):
        place.rename(str(place).replace("_input", "_average"))
    before = reader.reader.whole(reader.found)
    for place in folder.glob("temp*_average"):
        write(place, "120000\n")
    after = reader.reader.signs(reader.found)
    hot = [sensor.value for sensor in after.sensors if sensor.kind == "temp"]
    assert (before.problems, after.problems, 120_000 in hot) == ((), (), True)


def test_what_lasts_is_read_at_a_whole_look_alone(simulation: Simulation) -> None:
    """The firmware's version does not change while the driver is loaded."""
    reader = Reader(simulation.roots)
    before = reader.reader.whole(reader.found)
    write(management(simulation) / "fw_version", "9.9.9, fffffff\n")
    assert reader.reader.signs(reader.found) == before
    assert reader.reader.whole(reader.found).firmware_version == "9.9.9, fffffff"


def test_a_card_in_peace_is_told_by_the_same_reading(simulation: Simulation) -> None:
    """While its heartbeat goes on and nothing else changes; anew where that is wanted, or it stands still."""
    reader = Reader(simulation.roots)
    first = reader.reader.whole(reader.found)
    simulation.advance(1)
    assert reader.reader.signs(reader.found, fresh=False) is first
    assert reader.reader.signs(reader.found, fresh=False).heartbeat_seconds == 1
    simulation.advance(1)
    assert reader.reader.signs(reader.found, fresh=True).heartbeat_seconds == 2


def _is_opened(simulation: Simulation) -> None:
    """Before a counter moves."""
    for path in Path(simulation.roots.sysfs).glob("class/npu_mgmt/npu0pe0/perf_regs"):
        path.chmod(0o444)
    for path in Path(simulation.roots.sysfs).glob("class/rngd_mgmt/rngd!npu0mgmt/pe_occupancy"):
        write(path, "0\n" * 7 + "1\n")


def _counts_an_error(simulation: Simulation) -> None:
    path = management(simulation) / "atr_error"
    write(path, path.read_text().replace("Device Error: 0", "Device Error: 1"))


CHANGES: dict[str, Callable[[Simulation], object]] = {
    "dies": lambda simulation: simulation.fail("npu0"),
    "gets hot": lambda simulation: simulation.fail("npu0", "temperature"),
    "is opened": _is_opened,
    "is used": lambda simulation: simulation.occupy("npu0"),
    "counts an error": _counts_an_error,
    "loses a file": lambda simulation: (management(simulation) / "atr_error").unlink(),
    "loses its heartbeat": lambda simulation: (management(simulation) / "heartbeat").unlink(),
    "tells no heartbeat": lambda simulation: write(management(simulation) / "heartbeat", "\x07\n"),
    "goes back": lambda simulation: write(management(simulation) / "heartbeat", "1\n"),
}


@pytest.mark.parametrize("whole", [False, True], ids=["signs", "whole"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_after_a_while_in_peace_a_change_is_told_at_once(
    simulation: Simulation, change: Callable[[Simulation], object], *, whole: bool
) -> None:
    """As by a reader that never saw the card before."""
    reader = Reader(simulation.roots)
    found = reader.found
    look = partial(reader.reader.whole if whole else reader.reader.signs, found, fresh=False)
    reader.reader.whole(found)
    for _ in range(3):
        simulation.advance(1)
        in_peace = look()
    simulation.advance(1)
    change(simulation)
    changed = look()
    assert changed == read_cards(simulation.roots)[0]
    assert changed._replace(heartbeat_seconds=in_peace.heartbeat_seconds) != in_peace or change is CHANGES["goes back"]


def test_a_change_that_is_over_is_told_as_over(simulation: Simulation) -> None:
    """By a whole look, too, though it finds everything as the whole look before it did."""
    reader = Reader(simulation.roots)
    found = reader.found
    well = reader.reader.whole(found)
    for _ in range(2):
        simulation.fail("npu0")
        assert [reader.reader.signs(found).alive for _ in range(3)] == [False] * 3
        simulation.recover("npu0")
        assert reader.reader.whole(found) == well


FILES = ("heartbeat", "atr_error", "alive", "device_state", "throttle_reason")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(FILES), st.sampled_from(["0\n", "1\n", "7\n", "\x07\n", ""])),
        st.tuples(st.just("lose"), st.sampled_from(FILES), st.just("")),
        st.tuples(st.just("beat"), st.just(""), st.just("")),
        st.tuples(st.just("looks"), st.sampled_from(["whole", "signs"]), st.sampled_from(["fresh", ""])),
    ),
    max_size=12,
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS)
def test_whatever_comes_each_look_tells_the_card_as_it_is(
    simulation: Simulation, steps: list[tuple[str, str, str]]
) -> None:
    """As a reader does that never saw it before; a heartbeat that goes on alone may be an older one."""
    folder = management(simulation)
    texts = {path: path.read_text() for file in FILES if (path := folder / file).exists()}
    reader = Reader(simulation.roots)
    found = reader.found
    reader.reader.whole(found)
    beats = 100
    try:
        for what, name, value in steps:
            if what == "write" and (folder / name) in texts:
                write_anew(folder / name, value)
            elif what == "lose" and (folder / name) in texts:
                (folder / name).unlink(missing_ok=True)
            elif what == "beat":
                beats += 1
                write_anew(folder / "heartbeat", f"{beats}\n")
            elif what == "looks":
                look = reader.reader.whole if name == "whole" else reader.reader.signs
                is_now = read_cards(simulation.roots)[0]
                for _ in range(3):
                    told = look(found, fresh=bool(value))
                    if not value and told.heartbeat_seconds is not None and is_now.heartbeat_seconds is not None:
                        told = told._replace(heartbeat_seconds=is_now.heartbeat_seconds)
                    assert told == is_now
    finally:
        for path, text in texts.items():
            write_anew(path, text)


def test_what_lasts_is_told_anew_though_it_changed_in_peace(simulation: Simulation) -> None:
    """Another firmware, another label, a device file that is gone: at the next whole look, and from then on."""
    reader = Reader(simulation.roots)
    found = reader.found
    for _ in range(3):
        simulation.advance(1)
        in_peace = reader.reader.whole(found)
    (folder,) = Path(simulation.roots.sysfs, "bus/pci/devices", str(in_peace.pci_bdf), "hwmon").iterdir()
    write(folder / "temp1_label", "ELSEWHERE\n")
    write(management(simulation) / "fw_version", "9.9.9, fffffff\n")
    os.unlink(f"{simulation.roots.devfs}/{in_peace.device_files[0].path}")
    told = reader.reader.whole(found)
    assert told == read_cards(simulation.roots)[0]
    assert (told.firmware_version, len(told.device_files)) == ("9.9.9, fffffff", len(in_peace.device_files) - 1)
    assert reader.reader.signs(found) == told


@pytest.mark.parametrize("whole", [False, True], ids=["signs", "whole"])
def test_in_peace_each_file_is_read_once_a_look(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch, *, whole: bool
) -> None:
    """Though it is only compared with what it said before."""
    reader = Reader(simulation.roots)
    found = reader.found
    look = partial(reader.reader.whole if whole else reader.reader.signs, found, fresh=False)
    reader.reader.whole(found)
    opened: list[str] = []
    really = os.open

    def counted(path: str, flags: int) -> int:
        opened.append(path)
        return really(path, flags)

    looks = []
    for _ in range(3):
        simulation.advance(1)
        opened.clear()
        with monkeypatch.context() as counting:
            counting.setattr(os, "open", counted)
            look()
        looks.append(sorted(opened))
    assert looks[0] == looks[1] == looks[2] == sorted(set(opened))


def test_a_heartbeat_that_goes_on_again_is_told_at_once(simulation: Simulation) -> None:
    """Else a card whose firmware hung and is well would wait for the next fresh reading."""
    reader = Reader(simulation.roots)
    reader.reader.whole(reader.found)
    simulation.advance(1)
    reader.reader.signs(reader.found, fresh=False)
    assert reader.reader.signs(reader.found, fresh=False).heartbeat_seconds == 1
    simulation.advance(1)
    goes_on = reader.reader.signs(reader.found, fresh=False)
    assert goes_on.heartbeat_seconds == 2
    simulation.advance(1)
    assert reader.reader.signs(reader.found, fresh=False) is goes_on


@pytest.mark.parametrize("whole", [False, True], ids=["signs", "whole"])
@pytest.mark.parametrize("file", ["heartbeat", "atr_error"])
def test_a_file_that_goes_bad_is_a_problem_as_long_as_it_is(simulation: Simulation, file: str, *, whole: bool) -> None:
    """Named by its path, at each look; gone when the file is well again."""
    reader = Reader(simulation.roots)
    found = reader.found
    before = reader.reader.whole(found)
    look = partial(reader.reader.whole if whole else reader.reader.signs, found)
    path = management(simulation) / file
    text = path.read_text()
    write(path, "\x07\n")
    for _ in range(3):
        assert [problem.path for problem in look().problems] == [str(path)]
    write(path, text)
    assert look() == before


def test_the_heat_is_looked_at_each_time(simulation: Simulation) -> None:
    """Of the peak's sensor and of each that has a critical value; others at a whole look."""
    reader = Reader(simulation.roots)
    before = reader.reader.whole(reader.found)
    bdf = before.pci_bdf
    (folder,) = Path(simulation.roots.sysfs, "bus/pci/devices", str(bdf), "hwmon").iterdir()
    peak = next(path for path in folder.glob("temp*_label") if path.read_text() == "PEAK\n")
    write(peak.with_name(peak.name.replace("label", "input")), "120500\n")
    assert reader.reader.signs(reader.found).temperature_celsius == 120.5


def test_device_files_that_go_are_missed_at_a_whole_look(simulation: Simulation) -> None:
    """Without waiting for the next listing of the folder."""
    reader = Reader(simulation.roots)
    found = reader.found
    before = reader.reader.whole(found)
    gone = before.compute_files[-1]
    os.unlink(f"{simulation.roots.devfs}/{gone.path}")
    assert reader.reader.whole(found).device_files == tuple(file for file in before.device_files if file != gone)


def test_a_listing_with_the_same_names_is_the_same_object(simulation: Simulation) -> None:
    """So that nothing is parsed each second; another name, or a wish, makes a new one."""
    lister = Lister(simulation.roots)
    first = lister.look(anew=False)
    assert lister.look(anew=False) is first
    assert lister.look(anew=True) == first
    simulation.remove(simulation.state().cards[1].card.uuid)
    assert len(lister.look(anew=False).cards) == 1
