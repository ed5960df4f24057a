"""What drivers answer after the look that asked them: taken in once, and asked no more for it."""

from pathlib import Path

import pytest

from tests.unit.readings_host import HOST, NPU, UUIDS, Host, keys


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_answers_late_is_taken_in_and_what_has_answered_is_not_asked_again(host: Host) -> None:
    """A card, and the host, whose listing brings a card that is new: that one is asked, and its answer may be late."""
    host.look(anew=True)
    host.desk.silent = {NPU[1]}
    host.simulation.fail("npu1")
    host.cycle()
    asked = len(host.desk.asked)
    assert [host.look(is_late=True)[1].alive, host.readings.awaited] == [True, {NPU[1]}]
    host.desk.answer(NPU[1])
    assert [host.look(is_late=True)[1].alive, host.readings.awaited] == [False, frozenset()]
    assert host.desk.asked[asked:] == []

    host.simulation.remove("npu2")
    host.desk.silent = {HOST}
    host.look(anew=True)
    host.desk.answer(HOST)
    asked = len(host.desk.asked)
    host.desk.silent = {NPU[0]}
    assert keys(host.look(is_late=True)) == [NPU[0], NPU[1]]
    assert (host.desk.asked[asked:], host.readings.awaited) == ([NPU[0], NPU[1]], frozenset({NPU[0]}))
    host.desk.answer(NPU[0])
    host.look(is_late=True)
    assert (host.desk.asked[asked:], host.readings.awaited) == ([NPU[0], NPU[1]], frozenset())


def test_a_card_that_was_reset_and_is_slow_is_read_whole_once(host: Host) -> None:
    """Though neither the heartbeat that went back nor the rest of the card was waited for."""
    for _ in range(4):
        host.cycle()
    host.write(1, "heartbeat", "0")
    host.write(1, "device_uuid", "NEW")
    uuids = []
    asked = len(host.desk.asked)
    host.desk.silent = {NPU[1]}
    uuids.append(host.cycle(0.5)[1].uuid)
    for _ in range(3):
        if host.desk.is_waiting(NPU[1]):
            host.desk.answer(NPU[1])
            host.desk.silent = {NPU[1]}
        uuids.append(host.look(is_late=True)[1].uuid)
    assert (uuids, host.desk.asked[asked:].count(NPU[1])) == ([UUIDS[1], UUIDS[1], "NEW", "NEW"], 2)
