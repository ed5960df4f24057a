"""When a node's slices are read again, and what is done about what somebody else did to them."""

from furiosa_npu.dra_driver.publication import DOUBT_SECONDS, DOUBT_SPREAD
from tests.unit.slices_desk import AWAY, LOOK, PREFIX, READ, Desk, card, visible


def test_a_doubt_that_waits_keeps_no_write_back() -> None:
    """A card comes before it is looked whether a kubelet deleted the slices."""
    desk = Desk()
    desk.offer(card(0))
    desk.settle()
    doubted_at = desk.now + 2.0
    desk.publication.doubt(doubted_at)
    desk.offer(card(0), card(1))
    assert desk.settle() == [["PUT counters-0 g2/2"], ["PUT devices-0 g2/2"], READ]
    assert desk.now == doubted_at


def test_what_is_being_written_is_not_taken_for_what_somebody_deleted() -> None:
    """Where the API server is so slow that the first look is due before the first slices stand."""
    desk = Desk()
    desk.offer(card(0))
    desk.publication.doubt(desk.now)
    assert desk.exchange() == READ
    desk.now += DOUBT_SECONDS[0] * (1.0 + DOUBT_SPREAD)
    assert desk.settle() == [["POST counters-0 g1/2"], ["POST devices-0 g1/2"], LOOK]


def test_slices_of_other_hands_give_way() -> None:
    """Of an earlier driver with other names; one of ours that cannot be read."""
    desk = Desk()
    desk.offer(card(0))
    desk.settle()
    slices = desk.server.slices
    old = slices[f"{PREFIX}devices-0"]
    slices["older-x7k2p"] = {**old, "metadata": {**old["metadata"], "name": "older-x7k2p", "uid": "u9"}}
    slices[f"{PREFIX}counters-0"]["spec"]["sharedCounters"] = [{"name": "?"}]
    again = Desk(desk.server)
    again.offer(card(0))
    assert again.settle() == [
        READ,
        ["PUT counters-0 g2/2"],
        ["PUT devices-0 g2/2"],
        ["DELETE older-x7k2p"],
    ]


def test_slices_of_a_node_that_was_made_anew_belong_to_the_new_one() -> None:
    """Else they would go with the old one."""
    desk = Desk()
    desk.offer(card(0))
    desk.settle()
    desk.server.node_uid = "n2"
    desk.publication.doubt(desk.now)
    assert desk.settle() == [READ, ["PUT devices-0 g2/2", "PUT counters-0 g2/2"]]
    owners = [found["metadata"]["ownerReferences"][0]["uid"] for found in desk.server.slices.values()]
    assert owners == ["n2", "n2"]


def test_a_kubelet_that_starts_makes_the_slices_be_read_again_and_again() -> None:
    """It deletes them when it starts, perhaps late. All is read at first, and once more where they are missing."""
    desk = Desk()
    desk.offer(card(0))
    desk.settle()
    start = desk.now
    desk.publication.doubt(start)
    seen = []
    for late in range(6):
        if late == 1:
            desk.server.lose(*desk.server.slices)
        seen.append((desk.exchange(), desk.now - start))
        written_again = [READ, ["POST counters-0 g1/2"], ["POST devices-0 g1/2"]]
        assert desk.settle() == (written_again if late == 1 else [])
    assert seen == [(READ, 0.0), *((LOOK, seconds * (1.0 + DOUBT_SPREAD)) for seconds in DOUBT_SECONDS)]
    assert len(visible(desk.server)) == 3


def test_what_a_kubelet_deletes_late_is_missed_though_the_api_server_was_away_when_it_started() -> None:
    """It tries that again after minutes where it was not answered at first (`wipeResourceSlices`: up to five)."""
    desk = Desk()
    desk.offer(card(0))
    desk.settle()
    desk.publication.doubt(desk.now)
    for _ in range(8):
        desk.exchange(AWAY)
    desk.settle()
    back = desk.now
    while desk.now < back + 250.0:
        desk.exchange()
    desk.server.lose(*desk.server.slices)
    lost_at = desk.now
    while not visible(desk.server):
        desk.exchange()
    assert desk.now - lost_at < 200.0


def test_a_write_whose_answer_was_lost_is_found_again() -> None:
    """What was created under this name is not created twice."""
    desk = Desk()
    desk.offer(card(0))
    desk.exchange()
    for request in desk.take():
        desk.server.ask(request)
    desk.notices += desk.publication.answered([AWAY], desk.now, 1.0)
    assert desk.settle() == [READ, ["POST devices-0 g1/2"]]


def test_what_somebody_else_wrote_meanwhile_is_read_again() -> None:
    """A second instance, for a moment in a rolling update."""
    desk = Desk()
    desk.offer(card(0))
    desk.settle()
    desk.server.touch(f"{PREFIX}devices-0")
    desk.offer(card(0), card(1))
    assert desk.settle() == [
        ["PUT counters-0 g2/2"],
        ["PUT devices-0 g2/2"],
        READ,
        ["PUT devices-0 g2/2"],
    ]
    texts = [notice.text for notice in desk.notices if "somebody else" in notice.text]
    assert len(texts) == 1
