"""What is written of a node's slices, step by step, against an API server that takes it all."""

import pytest

from furiosa_npu.cluster.resource_slice_json import parse
from furiosa_npu.dra_driver.gates import Gates
from furiosa_npu.dra_driver.publication import GATHER_SECONDS, RECHECK_SECONDS, Publication
from furiosa_npu.dra_driver.publication_trouble import Notice
from tests.unit.slices_desk import DRIVER, LOOK, NODE, PREFIX, READ, Desk, card, visible, wanted


def test_counters_are_read_back_before_a_device_is_written() -> None:
    """Sixteen Renegades: six slices of one generation."""
    desk = Desk()
    cards = tuple(card(number, family="renegade") for number in range(16))
    desk.offer(*cards)
    assert desk.settle() == [
        READ,
        ["POST counters-0 g1/6", "POST counters-1 g1/6"],
        [f"POST devices-{number} g1/6" for number in range(4)],
    ]
    assert visible(desk.server) == wanted(cards, Gates())
    assert desk.notices == [
        Notice("info", "published: 240 devices, 0 of them tainted, in 6 resource slices, generation 1")
    ]
    assert (desk.publication.unsettled(), desk.publication.gates) == (None, Gates(True, None))


def test_nothing_is_written_while_nothing_changes() -> None:
    """The same offered again; after minutes the slices are read, since nobody tells of one that was deleted."""
    desk = Desk()
    desk.offer(card(0), card(1, "dead"))
    desk.settle()
    written = [*desk.server.writes]
    desk.offer(card(0), card(1, "dead", at=70.0))
    desk.settle()
    before = desk.now
    assert desk.exchange() == LOOK
    assert RECHECK_SECONDS / 2 <= desk.now - before <= RECHECK_SECONDS
    assert desk.settle() == []
    assert desk.server.writes == written


def test_a_change_is_written_to_all_slices_under_a_new_generation_with_counters_last() -> None:
    """Consumers take the pool again when the last one is there; only the card's own slice has other devices."""
    desk = Desk()
    cards = [card(number, family="renegade") for number in range(9)]
    desk.offer(*cards)
    desk.settle()
    before = {name: found["spec"].get("devices") for name, found in desk.server.slices.items()}
    cards[5] = card(5, "dead", family="renegade")
    desk.offer(*cards)
    start = desk.now
    rounds = desk.settle()
    assert desk.now == start + GATHER_SECONDS
    puts = [f"PUT {name} g2/6" for name in ("devices-0", "devices-1", "devices-2", "counters-0", "counters-1")]
    assert rounds[0] == puts
    changed = {name for name, found in desk.server.slices.items() if before[name] != found["spec"].get("devices")}
    assert changed == {f"{PREFIX}devices-1"}


def test_tainted_devices_are_in_no_pool_that_is_complete_before_they_were_read_back() -> None:
    """The pool says that one slice more is to come. Once it is known that taints are stored, there is no such round."""
    desk = Desk()
    desk.offer(card(0, "dead"))
    assert desk.settle() == [
        READ,
        ["POST counters-0 g1/3"],
        ["POST devices-0 g1/3"],
        ["PUT devices-0 g2/2", "PUT counters-0 g2/2"],
    ]
    desk.offer(card(0, "dead"), card(1, "dead"))
    assert desk.settle() == [["PUT counters-0 g3/2"], ["PUT devices-0 g3/2"]]
    assert desk.notices[-1].text == "published: 6 devices, 6 of them tainted, in 2 resource slices, generation 3"


def test_a_taint_keeps_the_time_at_which_it_was_added_first() -> None:
    """An agent that starts anew judges anew; a slice that is written for another card keeps it too."""
    desk = Desk()
    desk.offer(card(0, "dead", at=5.0), card(1))
    desk.settle()
    again = Desk(desk.server)
    again.offer(card(0, "dead", at=900.0), card(1, "used", at=900.0))
    again.settle()
    (found,) = [parse(found).content for name, found in desk.server.slices.items() if "devices" in name]
    assert found is not None
    times = {device.name: [taint.time_added for taint in device.taints] for device in found.devices}
    assert times["npu-warboy-0-pe1"] == ["1970-01-01T00:00:05Z"]
    assert times["npu-warboy-1-pe1"] == ["1970-01-01T00:15:00Z"]
    assert times["npu-warboy-1-pe0"] == []


def test_what_goes_is_deleted_when_the_rest_stands() -> None:
    """Fewer slices, a new generation; no card at all, no slice at all."""
    desk = Desk()
    desk.offer(*(card(number, family="renegade") for number in range(6)))
    desk.settle()
    desk.offer(*(card(number, family="renegade") for number in range(4)))
    assert desk.settle() == [["PUT devices-0 g2/2", "PUT counters-0 g2/2"], ["DELETE devices-1"]]
    desk.offer()
    assert desk.settle() == [["DELETE devices-0"], ["DELETE counters-0"]]
    assert desk.server.slices == {}
    desk.offer(card(0))
    assert desk.settle() == [["POST counters-0 g1/2"], ["POST devices-0 g1/2"]]


def test_nothing_is_asked_before_it_is_known_what_to_publish() -> None:
    """The cards were not read yet."""
    publication = Publication(DRIVER, NODE)
    assert (publication.due_at(), publication.take(5.0)) == (None, ())
    assert publication.unsettled() == "it is not known yet what to publish"
    publication.offer((), 5.0)
    assert (publication.due_at(), publication.unsettled()) == (5.0, "the API server was not asked yet")


def test_after_a_start_nothing_is_asked_for_a_while_and_a_doubt_meanwhile_asks_nothing_more() -> None:
    """The kubelet takes the driver before the slices are read for the first time."""
    desk = Desk()
    desk.publication = Publication(DRIVER, NODE, not_before=desk.now + 1.5)
    desk.offer(card(0))
    desk.publication.doubt(desk.now + 2.0)
    assert (desk.publication.due_at(), desk.publication.take(desk.now)) == (desk.now + 1.5, ())
    assert desk.settle() == [READ, ["POST counters-0 g1/2"], ["POST devices-0 g1/2"]]


def test_what_is_no_nodes_name_is_no_pool() -> None:
    """The kubelet would not take it either."""
    with pytest.raises(ValueError, match="expected a node's name"):
        Publication(DRIVER, "Worker 1")
