"""The real reader reads what the simulator writes: two rooms that share no format agree on every fact."""

import contextlib
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.hotplug import DeviceWatch
from furiosa_npu.hardware.occupancy import pes_in_use
from furiosa_npu.hardware.reading import FAMILIES, Family, Reading
from furiosa_npu.simulator import Card, Simulation, parse_scenario

PE_COUNT: dict[Family, int] = {"warboy": 2, "renegade": 8}
BOTH = "cards: [{family: warboy}, {family: renegade}]"


@st.composite
def _cards(draw: st.DrawFn) -> tuple[Card, ...]:
    entries = []
    for _ in range(draw(st.integers(1, 4))):
        version = draw(st.sampled_from(["1.9.2, 3def9c2", "2024.1.9, 0a", "2024.2.0, 0b", "2026.4.0"]))
        critical = draw(st.none() | st.integers(0, 120))
        family = draw(st.sampled_from(FAMILIES))
        numa_node = draw(st.integers(-1, 7))
        temperature = draw(st.integers(-40_000, 125_000)) / 1000
        power = draw(st.integers(0, 300_000_000)) / 1_000_000
        platform = draw(st.sampled_from(["FuriosaAI", "VITIS", "HAPS", "haps"]))
        entries.append(
            f"- {{family: {family}, numa_node: {numa_node}, platform_type: {platform}, "
            f"temperature_celsius: {temperature:.3f}, power_watts: {power:.6f}, driver_version: '{version}'"
            + (f", critical_celsius: {critical}}}" if critical is not None else "}")
        )
    return parse_scenario("cards:\n" + "\n".join(entries))


def _facts(reading: Reading) -> Card:
    """The scenario's facts as the reader has them."""
    (critical,) = {sensor.critical for sensor in reading.sensors if sensor.kind == "temp"}
    return Card(
        family=reading.family,
        index=reading.index if reading.index is not None else -1,
        uuid=reading.uuid or "",
        serial=reading.serial or "",
        pci_bdf=reading.pci_bdf or "",
        numa_node=-1 if reading.numa_node is None else reading.numa_node,
        platform_type=reading.platform_type or "",
        temperature_celsius=reading.temperature_celsius if reading.temperature_celsius is not None else -1,
        power_watts=reading.power_watts if reading.power_watts is not None else -1,
        driver_version=reading.driver_version or "",
        critical_celsius=None if critical is None else critical / 1000,
    )


@settings(max_examples=25, deadline=None)
@given(_cards())
def test_the_reader_finds_each_fact_of_any_scenario_and_no_problem(cards: tuple[Card, ...]) -> None:
    """Warboys come before Renegades, each by number."""
    with tempfile.TemporaryDirectory() as folder:
        readings = read_cards(Simulation.create(folder, cards, plain_files=True).roots)
    assert [_facts(reading) for reading in readings] == sorted(cards, key=lambda c: (FAMILIES.index(c.family), c.index))
    assert [reading.problems for reading in readings] == [()] * len(cards)
    assert all(reading.alive and reading.heartbeat_seconds == 0 for reading in readings)


@pytest.fixture
def simulation(tmp_path: object) -> Simulation:
    return Simulation.create(f"{tmp_path}/sim", parse_scenario(BOTH), plain_files=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_pes_in_use_are_seen(simulation: Simulation, family: Family) -> None:
    """One PE, then all of them, then none."""
    uuid = next(card.card.uuid for card in simulation.state().cards if card.card.family == family)

    def seen() -> tuple[bool | None, ...]:
        return next(pes_in_use(reading) for reading in read_cards(simulation.roots) if reading.family == family)

    count = PE_COUNT[family]
    assert seen() == (False,) * count
    simulation.occupy(uuid, ["1"])
    assert seen() == (False, True, *(False,) * (count - 2))
    simulation.release(uuid)
    simulation.occupy(uuid)
    assert seen() == (True,) * count
    simulation.release(uuid)
    assert seen() == (False,) * count


@pytest.mark.parametrize("family", FAMILIES)
def test_a_card_that_failed_is_seen_not_alive_until_it_recovers(simulation: Simulation, family: Family) -> None:
    """Whatever word its family has for it; the other card is not touched."""
    uuid = next(card.card.uuid for card in simulation.state().cards if card.card.family == family)

    def alive() -> dict[str, bool | None]:
        return {reading.family: reading.alive for reading in read_cards(simulation.roots)}

    simulation.fail(uuid)
    assert alive() == {other: other != family for other in FAMILIES}
    simulation.recover(uuid)
    assert alive() == dict.fromkeys(FAMILIES, True)


@pytest.mark.parametrize(
    ("leave", "seen"),
    [
        (lambda simulation: simulation.remove("0000:01:00.0"), [("renegade", "npu0", True)]),
        (
            lambda simulation: simulation.unload_driver(),
            [("warboy", "0000:01:00.0", False), ("renegade", "0000:02:00.0", False)],
        ),
    ],
)
def test_cards_and_drivers_that_go_are_seen_to_go(
    simulation: Simulation, leave: Callable[[Simulation], object], seen: list[tuple[str, str, bool]]
) -> None:
    """A removed card leaves nothing; without a driver the PCI device is still there."""
    leave(simulation)
    assert [(r.family, r.name, r.management) for r in read_cards(simulation.roots)] == seen
    simulation.add("0000:01:00.0")
    simulation.load_driver()
    assert [r.problems for r in read_cards(simulation.roots)] == [(), ()]


def test_devices_that_come_and_go_are_seen_at_once(simulation: Simulation) -> None:
    """As devtmpfs shows them; time that goes on and a card that fails are no news of devices."""
    steps: tuple[tuple[Callable[[], object], bool], ...] = (
        (lambda: simulation.remove("0000:02:00.0"), True),
        (lambda: simulation.advance(1), False),
        (lambda: simulation.add("0000:02:00.0"), True),
        (lambda: simulation.fail("0000:02:00.0"), False),
        (simulation.unload_driver, True),
        (simulation.load_driver, True),
    )
    with contextlib.closing(DeviceWatch(simulation.roots)) as watch:
        for change, news in steps:
            change()
            assert (watch.drain(), watch.drain()) == (news, False)
