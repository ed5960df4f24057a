"""A card read again and again: what moves is seen each time, what lasts at a whole look, another card at once."""

import os
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("file", ["heartbeat", "atr_error"])
def test_a_file_that_goes_bad_is_a_problem_as_long_as_it_is(simulation: Simulation, file: str) -> None:
    """Named by its path; gone when the file is well again."""
    reader = Reader(simulation.roots)
    before = reader.reader.whole(reader.found)
    path = management(simulation) / file
    text = path.read_text()
    write(path, "\x07\n")
    assert [problem.path for problem in reader.reader.signs(reader.found).problems] == [str(path)]
    write(path, text)
    assert reader.reader.signs(reader.found) == before


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
