"""All cards in each cycle: none counted twice or lost while its driver is slow, and each fact as often as it is due."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from furiosa_npu.allocation.census import Rules, Seen, census
from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.watch.card_readings import FRESH_SECONDS, LIST_SECONDS, WHOLE_SECONDS
from tests.unit.readings_host import HOST, NPU, PATIENCE, UUIDS, Host, keys


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_card_that_was_not_read_yet_is_no_second_card(host: Host) -> None:
    """Its device on the PCI bus is not taken for one without a driver; the others are told at once."""
    host.desk.silent = {NPU[1]}
    assert host.readings.unread is None, "nothing is known yet of which cards there are"
    assert keys(host.look(anew=True)) == [NPU[0], NPU[2]]
    assert host.readings.is_waited_for
    assert host.readings.unread == {NPU[1]}
    host.desk.answer(NPU[1])
    told = host.cycle(0.2)
    assert keys(told) == list(NPU)
    assert [reading.unanswered for reading in told] == [None] * 3
    assert not host.readings.is_waited_for


def test_a_card_that_hangs_from_the_start_is_told_after_the_patience(host: Host) -> None:
    """With the path, its device files, and no more; before, it is waited for; when it answers, with all its facts."""
    host.desk.silent = {NPU[1]}
    host.look(anew=True)
    assert keys(host.cycle(PATIENCE - 0.1)) == [NPU[0], NPU[2]]
    assert host.readings.is_waited_for
    told = host.cycle(0.1)
    assert (keys(told), not host.readings.is_waited_for) == (list(NPU), True)
    silent = told[1]
    expected = Reading("renegade", 1, False, told[1].device_files, unanswered=f"/sys/{NPU[1]}")
    assert (silent, len(silent.compute_files)) == (expected, 14)
    host.desk.answer(NPU[1])
    assert host.cycle()[1].unanswered is None
    assert host.cycle()[1].uuid is not None


def test_a_card_is_one_unit_whether_it_was_read_or_not(host: Host) -> None:
    """One that hangs from the start goes by its name until its UUID is read; one that is known keeps its UUID."""
    rules = Rules(None, (), "fused")

    def units(before: Pool, told: Sequence[Reading]) -> Pool:
        return census(before, Seen(told), Ledger(), rules, host.now)

    host.desk.silent = {NPU[1]}
    pool = units({}, host.look(anew=True))
    assert list(pool) == [UUIDS[0], UUIDS[2]]
    pool = units(pool, host.cycle(PATIENCE))
    assert sorted(pool) == [UUIDS[0], UUIDS[2], "npu1"]
    reason = f"no answer from /sys/{NPU[1]} in 2 s: the driver hangs"
    assert (pool["npu1"].verdict.state, pool["npu1"].verdict.reason) == ("unreadable", reason)
    host.desk.answer(NPU[1])
    pool = units(pool, host.cycle())
    assert sorted(pool) == list(UUIDS)
    host.desk.silent = {NPU[0]}
    host.cycle()
    pool = units(pool, host.cycle(PATIENCE))
    assert sorted(pool) == list(UUIDS)
    assert pool[UUIDS[0]].verdict.state == "unreadable"


def test_a_card_that_begins_to_hang_is_as_it_was_until_the_patience(host: Host) -> None:
    """Then it is what it was, and says that it does not answer; the others are read in each cycle."""
    before = host.look(anew=True)
    host.desk.silent = {NPU[0]}
    host.simulation.fail("npu2")
    told = host.cycle()
    assert (told[0], told[2].alive) == (before[0], False)
    assert host.readings.awaited == {NPU[0]}
    host.simulation.recover("npu2")
    told = host.cycle(PATIENCE)
    assert (told[0], told[2].alive) == (before[0]._replace(unanswered=f"/sys/{NPU[0]}"), True)
    host.desk.answer(NPU[0])
    host.cycle()
    assert host.readings.awaited == frozenset()


def test_all_cards_may_hang_at_once(host: Host) -> None:
    """Each says so; and each comes back."""
    host.look(anew=True)
    host.desk.silent = {*NPU}
    host.cycle()
    assert [reading.unanswered for reading in host.cycle(PATIENCE)] == [f"/sys/{key}" for key in NPU]
    host.desk.answer(*NPU)
    assert [reading.unanswered for reading in host.cycle()] == [None] * 3


def test_a_card_that_goes_is_no_longer_told(host: Host) -> None:
    """Though its driver hangs; the folders' names tell."""
    host.look(anew=True)
    host.desk.silent = {NPU[1]}
    host.cycle()
    host.simulation.remove("npu1")
    assert keys(host.look(anew=True)) == [NPU[0], NPU[2]]


def test_the_last_look_reads_the_card_after_the_call(host: Host) -> None:
    """Every fact of it; of one that hangs, that it does."""
    card = host.look(anew=True)[1]
    host.write(1, "fw_version", "9.9.9, fffffff")
    assert host.one(card) == card._replace(firmware_version="9.9.9, fffffff")
    host.desk.silent = {NPU[1]}
    assert host.one(card) == card._replace(unanswered=f"/sys/{NPU[1]}")


def test_a_card_in_peace_is_told_by_the_same_object_until_a_fresh_one_is_due(host: Host) -> None:
    """Nobody judges anew for a heartbeat that goes on, but every five seconds."""
    told = host.look(anew=True)
    changes = []
    for second in range(1, 14):
        before, told = told, host.cycle()
        changes += [second] if told is not before else []
    assert changes == [FRESH_SECONDS, 2 * FRESH_SECONDS]


def test_a_heartbeat_that_stands_still_is_told_at_once(host: Host) -> None:
    """It is what the sign of a firmware that hangs needs."""
    before = host.look(anew=True)
    assert host.cycle() is before
    host.now += 1
    assert [reading.heartbeat_seconds for reading in host.look()] == [1, 1, 1]


def test_a_fact_that_lasts_is_read_again_in_turn(host: Host) -> None:
    """One card whole every three seconds: after three times that, a change of any is known."""
    host.look(anew=True)
    for card in range(3):
        host.write(card, "fw_version", "9.9.9, fffffff")
    known: list[int] = []
    for second in range(1, 10):
        told = host.cycle()
        known += [second] * (sum(reading.firmware_version == "9.9.9, fffffff" for reading in told) - len(known))
    assert known == [1, 1 + WHOLE_SECONDS, 1 + 2 * WHOLE_SECONDS]


def test_a_card_that_was_reset_is_read_whole_at_once(host: Host) -> None:
    """Another card may be in its slot: that its UUID is another is told with the heartbeat that went back."""
    for _ in range(4):
        host.cycle()
    host.write(1, "heartbeat", "0")
    host.write(1, "device_uuid", "NEW")
    told = {reading.name: reading.uuid for reading in host.cycle(0.5)}
    assert told == {"npu0": UUIDS[0], "npu1": "NEW", "npu2": UUIDS[2]}


def test_a_card_that_lost_its_management_folder_is_at_the_address_that_it_told(host: Host) -> None:
    """And not counted twice; where another card tells that address, it is that one's."""
    before = {reading.name: reading.pci_bdf for reading in host.look()}
    host.simulation.fail("npu1", "no-management")
    host.simulation.fail("npu2", "malformed=busname")
    assert {reading.name: reading.pci_bdf for reading in host.look(anew=True)} == before
    host.write(0, "busname", str(before["npu1"]))
    told = host.look(anew=True)
    assert {reading.name: reading.pci_bdf for reading in told if reading.index is not None} == {
        "npu0": before["npu1"],
        "npu1": None,
        "npu2": before["npu2"],
    }


def test_an_address_that_pci_does_not_have_any_more_or_that_another_card_told_is_forgotten(host: Host) -> None:
    """The card is at none then, and the device that may be it is counted with it."""
    told = {reading.name: str(reading.pci_bdf) for reading in host.look()}
    bus = Path(host.simulation.roots.sysfs, "bus/pci/devices")
    host.simulation.fail("npu2", "malformed=busname")
    (bus / told["npu2"]).rename(bus / "0000:99:00.0")
    host.simulation.fail("npu1", "malformed=busname")
    host.write(1, "device_uuid", "NEW")
    assert {reading.name: reading.pci_bdf for reading in host.look(anew=True)} == {
        "npu0": told["npu0"],
        "npu1": None,
        "npu2": None,
    }


def test_a_card_that_its_driver_let_go_is_on_the_bus_though_another_one_has_device_files_alone(host: Host) -> None:
    """Whose address is known: so it is not the other one."""
    addresses = {reading.name: reading.pci_bdf for reading in host.look()}
    for name in ("npu1", "npu2"):
        host.simulation.fail(name, "no-management")
    bus = Path(host.simulation.roots.sysfs, "bus/pci/devices")
    (bus / str(addresses["npu2"])).unlink()
    for path in Path(host.simulation.roots.devfs, "rngd").glob("npu1*"):
        path.unlink()
    assert [(reading.name, reading.pci_bdf) for reading in host.look(anew=True)] == [
        ("npu0", addresses["npu0"]),
        ("npu2", None),
        (addresses["npu1"], addresses["npu1"]),
    ]


def test_the_last_look_finds_a_card_at_the_address_that_it_told(host: Host) -> None:
    """As the list of cards has it; not where another card tells it."""
    (_, card, _) = host.look()
    host.simulation.fail("npu1", "malformed=busname")
    assert host.one(card).pci_bdf == card.pci_bdf


def test_folders_are_listed_again_every_ten_seconds(host: Host) -> None:
    """Where nothing happens; in between nobody asks."""
    host.look(anew=True)
    listed = []
    for second in range(1, 25):
        before = host.desk.asked.count(HOST)
        host.cycle()
        listed += [second] * (host.desk.asked.count(HOST) - before)
    assert listed == [LIST_SECONDS, 2 * LIST_SECONDS]


def test_folders_are_listed_in_each_cycle_while_something_is_wrong(host: Host) -> None:
    """A driver that loads is seen at once."""
    host.look(anew=True)
    host.simulation.fail("npu1", "malformed")
    host.cycle()
    before = host.desk.asked.count(HOST)
    host.cycle()
    host.cycle()
    assert host.desk.asked.count(HOST) == before + 2


def test_with_a_cycle_of_a_minute_everything_is_due_each_time(host: Host) -> None:
    """Each look tells all that moves and lists the folders, and one card is whole."""
    told = host.look(anew=True)
    for card in range(3):
        host.write(card, "fw_version", "9.9.9, fffffff")
    for cycle in (1, 2, 3):
        before, listed = told, host.desk.asked.count(HOST)
        told = host.cycle(60.0)
        assert told is not before
        assert [reading.heartbeat_seconds for reading in told] == [60 * cycle] * 3
        assert sum(reading.firmware_version == "9.9.9, fffffff" for reading in told) == cycle
        assert host.desk.asked.count(HOST) == listed + 1
        assert not host.readings.is_waited_for


def test_a_look_anew_that_falls_on_a_listing_in_flight_is_not_lost(host: Host) -> None:
    """What that listing tells is of before the event: the folders are listed again as soon as it is over."""
    host.simulation.remove("npu2")
    host.look(anew=True)
    host.desk.silent = {HOST}
    host.cycle(LIST_SECONDS)
    host.simulation.add(UUIDS[2])
    host.now += 0.5
    assert keys(host.look(anew=True)) == list(NPU[:2])
    assert host.readings.is_waited_for, "it is looked at again soon"
    host.desk.answer(HOST)
    told = [keys(host.cycle(0.2)), keys(host.cycle(0.2))]
    assert told[-1] == list(NPU)
    assert not host.readings.is_waited_for


def test_an_answer_that_came_before_the_event_was_taken_does_not_stand_for_it(host: Host) -> None:
    """The listing was answered late, and not told to anybody yet, when the event came."""
    host.simulation.remove("npu2")
    host.look(anew=True)
    host.desk.silent = {HOST}
    host.cycle(LIST_SECONDS)
    host.desk.answer(HOST)
    host.desk.silent = {HOST}
    host.simulation.add(UUIDS[2])
    host.now += 0.5
    assert keys(host.look(anew=True)) == list(NPU[:2])
    assert host.readings.is_waited_for
    host.desk.answer(HOST)
    assert keys(host.cycle(0.2)) == list(NPU)
    assert not host.readings.is_waited_for


def test_a_slow_listing_tells_of_when_it_was_asked(host: Host) -> None:
    """Where each is told at the look after it, a card that came is seen at the second one, not ten seconds later."""
    host.simulation.remove("npu2")
    host.look(anew=True)
    seen = []
    for second in range(1, 40):
        host.desk.silent = {HOST}
        seen.append(keys(host.cycle()))
        if host.desk.is_waiting(HOST):
            host.desk.answer(HOST)
        if second == LIST_SECONDS + 1:
            host.simulation.add(UUIDS[2])
    assert seen.index(list(NPU)) < 2 * LIST_SECONDS + 2


def test_a_listing_that_hangs_is_said_and_keeps_no_card(host: Host) -> None:
    """The cards that are known are read on; nobody waits for it after the patience."""
    host.look(anew=True)
    host.desk.silent = {HOST}
    host.cycle(LIST_SECONDS)
    assert (host.readings.host_hangs(), host.readings.is_waited_for) == (None, True)
    host.simulation.fail("npu1")
    assert [reading.alive for reading in host.cycle(PATIENCE)] == [True, False, True]
    assert (host.readings.host_hangs(), host.readings.is_waited_for) == (f"/sys/{HOST}", False)
    host.desk.answer(HOST)
    assert keys(host.cycle()) == list(NPU)
    assert (host.readings.host_hangs(), host.readings.is_waited_for) == (None, False)


def test_a_driver_that_takes_longer_than_the_patience_each_time_is_never_believed(host: Host) -> None:
    """What it says comes too late to be taken: between two questions, too, it has not answered."""
    host.look(anew=True)
    said = []
    for _ in range(4):
        host.desk.silent = {NPU[1]}
        host.cycle(1.0)
        said.append(host.cycle(PATIENCE)[1].unanswered)
        host.desk.answer(NPU[1])
        host.desk.silent = {NPU[1]}
        said.append(host.cycle(0.5)[1].unanswered)
        host.now += PATIENCE
        host.desk.answer(NPU[1])
    assert said == [f"/sys/{NPU[1]}"] * 8
    assert host.cycle()[1].unanswered is None
