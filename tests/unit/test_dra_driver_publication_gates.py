"""What is published where the API server's feature gates drop or refuse counters and taints."""

import pytest

from furiosa_npu.cluster.api import Answer
from furiosa_npu.dra_driver.gates import Gates
from furiosa_npu.dra_driver.publication_trouble import COUNTERS_OFF, TAINTS_OFF
from tests.unit.slices_desk import AWAY, LOOK, NODE, READ, Desk, card, visible, wanted
from tests.unit.slices_server import SlicesServer


def test_where_counters_are_dropped_whole_cards_are_published_and_never_a_partition() -> None:
    """Said once; the slice that lost its counters goes last."""
    desk = Desk(SlicesServer(NODE, counters=False))
    cards = (card(0), card(1, "held"))
    desk.offer(*cards)
    assert desk.settle() == [READ, ["POST counters-0 g1/2"], ["POST devices-0 g2/1"], ["DELETE counters-0"]]
    assert visible(desk.server) == wanted(cards, Gates(counters=False))
    assert set(visible(desk.server)) == {"npu-warboy-0"}
    assert [notice for notice in desk.notices if notice.level == "warning"] == [COUNTERS_OFF]
    desk.offer(card(0), card(1))
    assert desk.settle() == [["PUT devices-0 g3/1"]]
    assert desk.notices.count(COUNTERS_OFF) == 1


def test_where_counters_in_a_slice_of_their_own_are_refused_whole_cards_are_published() -> None:
    """As where they are dropped; what was written of them is taken back."""
    desk = Desk(SlicesServer(NODE, counters_beside_devices=True))
    cards = (card(0), card(1, "held"))
    desk.offer(*cards)
    desk.settle()
    assert visible(desk.server) == wanted(cards, Gates(counters=False))
    assert [name for name in desk.server.slices if "counters" in name] == []
    assert [notice for notice in desk.notices if notice.level == "warning"] == [COUNTERS_OFF]
    assert desk.publication.unsettled() is None


def test_where_taints_are_dropped_a_card_that_would_carry_one_is_left_out() -> None:
    """No scheduler saw it as a good one meanwhile."""
    desk = Desk(SlicesServer(NODE, taints=False))
    desk.offer(card(0), card(1, "used"))
    assert desk.settle() == [
        READ,
        ["POST counters-0 g1/3"],
        ["POST devices-0 g1/3"],
        ["PUT devices-0 g2/2", "PUT counters-0 g2/2"],
    ]
    assert set(visible(desk.server)) == {f"npu-warboy-0{part}" for part in ("", "-pe0", "-pe1")}
    assert [notice for notice in desk.notices if notice.level == "warning"] == [TAINTS_OFF]
    desk.offer(card(0, "dead"), card(1))
    desk.settle()
    assert set(visible(desk.server)) == {f"npu-warboy-1{part}" for part in ("", "-pe0", "-pe1")}
    assert desk.notices.count(TAINTS_OFF) == 1


def test_with_both_gates_closed_good_whole_cards_are_left() -> None:
    """One slice; each gate is told once, whatever number of slices it took something from."""
    desk = Desk(SlicesServer(NODE, counters=False, taints=False))
    desk.offer(*(card(number) for number in range(16)), card(20, "dead"))
    desk.settle()
    assert set(visible(desk.server)) == {f"npu-warboy-{number}" for number in range(16)}
    assert len(desk.server.slices) == 1
    assert [notice for notice in desk.notices if notice.level == "warning"] == [COUNTERS_OFF, TAINTS_OFF]


def test_a_gate_that_closes_takes_the_field_from_new_slices_and_is_known_by_them() -> None:
    """Slices that had it keep it, until they are written without."""
    desk = Desk()
    desk.offer(*(card(number, family="renegade") for number in range(4)), card(9, "dead"))
    desk.settle()
    desk.server.counters = desk.server.taints = False
    cards = tuple(card(number, "dead" if number == 7 else "good", family="renegade") for number in range(8))
    desk.offer(*cards)
    rounds = [desk.exchange() for _ in range(7)]
    assert rounds[-1] == LOOK
    assert visible(desk.server) == wanted(cards, Gates(counters=False, taints=False))
    assert [notice for notice in desk.notices if notice.level == "warning"] == [COUNTERS_OFF, TAINTS_OFF]


@pytest.mark.parametrize("away", [AWAY, Answer(503, {"message": "upgrading"}, None)], ids=["silent", "503"])
def test_what_was_dropped_is_tried_again_after_the_api_server_was_away(away: Answer) -> None:
    """It may have been upgraded; meanwhile a proxy may answer for it."""
    server = SlicesServer(NODE, counters=False, taints=False)
    desk = Desk(server)
    cards = (card(0), card(1, "dead"))
    desk.offer(*cards)
    desk.settle()
    desk.publication.doubt(desk.now)
    desk.exchange(away)
    server.counters = server.taints = True
    desk.settle()
    assert visible(server) == wanted(cards, Gates())
