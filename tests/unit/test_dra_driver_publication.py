"""What is written of a node's slices: told step by step, against an API server that drops, refuses and forgets."""

import pytest

from furiosa_npu.cluster.api import Answer
from furiosa_npu.cluster.resource_slice_json import parse
from furiosa_npu.dra_driver.gates import Gates
from furiosa_npu.dra_driver.publication import DOUBT_SECONDS, GATHER_SECONDS, RECHECK_SECONDS, Publication
from furiosa_npu.dra_driver.publication_trouble import COUNTERS_OFF, TAINTS_OFF, Notice
from tests.unit.slices_desk import AWAY, DRIVER, NODE, PREFIX, Desk, card, visible, wanted
from tests.unit.slices_server import SlicesServer

READ = ["GET node", "GET slices", "GET classes"]


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
    assert desk.exchange() == READ
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
    assert rounds[-1] == READ
    assert visible(desk.server) == wanted(cards, Gates(counters=False, taints=False))
    assert [notice for notice in desk.notices if notice.level == "warning"] == [COUNTERS_OFF, TAINTS_OFF]


def test_what_was_dropped_is_tried_again_after_the_api_server_was_away() -> None:
    """It may have been upgraded."""
    server = SlicesServer(NODE, counters=False, taints=False)
    desk = Desk(server)
    cards = (card(0), card(1, "dead"))
    desk.offer(*cards)
    desk.settle()
    desk.publication.doubt(desk.now)
    desk.exchange(AWAY)
    server.counters = server.taints = True
    desk.settle()
    assert visible(server) == wanted(cards, Gates())


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


def test_classes_that_lack_a_name_are_told_once_and_keep_no_slice_back() -> None:
    """Neither does an answer that says nothing of them."""
    desk = Desk()
    desk.offer(card(0))
    for classes in (Answer(200, {"items": []}, None), Answer(403, {"message": "no"}, None)):
        for _ in range(2):
            desk.publication.doubt(desk.now)
            node, slices, _ = desk.take()
            answers = [desk.server.ask(node), desk.server.ask(slices), classes]
            desk.notices += desk.publication.answered(answers, desk.now, 1.0)
            desk.settle()
    events = [notice.event for notice in desk.notices if notice.level == "warning"]
    assert events == ["NPUDeviceClassMissing"] * 2
    assert len(visible(desk.server)) == 3


def test_nothing_is_asked_before_it_is_known_what_to_publish() -> None:
    """The cards were not read yet."""
    publication = Publication(DRIVER, NODE)
    assert (publication.due_at(), publication.take(5.0)) == (None, ())
    assert publication.unsettled() == "it is not known yet what to publish"
    publication.offer((), 5.0)
    assert (publication.due_at(), publication.unsettled()) == (5.0, "the API server was not asked yet")


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


def test_a_kubelet_that_starts_makes_the_slices_be_read_three_times() -> None:
    """It deletes them when it starts, perhaps late."""
    desk = Desk()
    desk.offer(card(0))
    desk.settle()
    start = desk.now
    desk.publication.doubt(start)
    seen = []
    for late in range(3):
        if late == 1:
            desk.server.lose(*desk.server.slices)
        seen.append((desk.exchange(), desk.now - start))
        desk.settle()
    assert seen == [(READ, seconds) for seconds in DOUBT_SECONDS]
    assert len(visible(desk.server)) == 3


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


NOT_SERVED = "nothing is published: the API server does not serve resource.k8s.io/v1, which Kubernetes has since 1.34"


@pytest.mark.parametrize(
    ("at", "answer", "begins", "event"),
    [
        (0, AWAY, "the resource slices cannot be read or written: https://api: cannot connect", None),
        (0, Answer(503, {"message": "busy"}, None), "the resource slices cannot be read or written: GET ", None),
        (0, Answer(403, {"message": "no"}, None), "the resource slices are not written: GET ", "NPUsNotPublished"),
        (1, Answer(403, {"message": "no"}, None), "the resource slices are not written: POST ", "NPUsNotPublished"),
        (1, Answer(404, "404 page not found", None), NOT_SERVED, "NPUsNotPublished"),
        (1, Answer(422, {"message": "bad"}, None), "the resource slices are not written: POST ", "NPUsNotPublished"),
        (1, Answer(409, {"message": "exists"}, None), "somebody else wrote a resource slice of ours", None),
        (0, Answer(200, "hello", None), "the API server's answer: found hello", None),
        (1, Answer(200, "hello", None), "the API server's answer: found hello", None),
    ],
)
def test_a_trouble_is_said_once_while_it_is_tried_again_ever_more_rarely(
    at: int, answer: Answer, begins: str, event: str | None
) -> None:
    """And its end, once."""
    desk = Desk()
    desk.offer(card(0))
    pauses = []
    for _ in range(4):
        for _ in range(at):
            desk.exchange()
        desk.exchange(answer)
        assert (desk.publication.unsettled() or "").startswith(begins)
        pauses.append((desk.publication.due_at() or 0.0) - desk.now)
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    (notice,) = desk.notices
    assert notice.text.startswith(begins)
    assert (notice.level, notice.event) == ("info" if "somebody" in begins else "warning", event)
    desk.exchange()
    desk.settle()
    assert [told.text.partition(":")[0] for told in desk.notices[1:]] == [
        "the resource slices stand as they should again",
        "published",
    ]
    assert desk.publication.unsettled() is None


def test_an_api_server_that_does_not_serve_the_version_is_said_so() -> None:
    """It answers the list with 404, and the node well."""
    desk = Desk()
    desk.offer(card(0))
    requests = desk.take()
    answers = [desk.server.ask(requests[0]), *[Answer(404, "404 page not found", None)] * 2]
    assert desk.publication.answered(answers, desk.now, 1.0) == (Notice("warning", NOT_SERVED, "NPUsNotPublished"),)


def test_what_is_stored_otherwise_than_written_is_said_and_not_written_in_a_loop() -> None:
    """A webhook takes an attribute away."""
    desk = Desk()
    desk.offer(card(0))
    desk.exchange()
    desk.exchange()
    start = desk.now
    for _ in range(4):
        requests = desk.take()
        answers = [desk.server.ask(request) for request in requests]
        for answer in answers:
            for device in _devices(answer.body):
                device["attributes"].pop("family", None)
        for found in desk.server.slices.values():
            for device in _devices(found):
                device["attributes"].pop("family", None)
        desk.notices += desk.publication.answered(answers, desk.now, 1.0)
    assert desk.now > start + 2.0
    (notice,) = desk.notices
    said = "the API server stored something other than was written: does an admission webhook change it?"
    assert notice == Notice("warning", f"{PREFIX}devices-0: {said}", "NPUsNotPublished")


def _devices(body: object) -> list[dict[str, dict[str, object]]]:
    devices = body.get("spec", {}).get("devices", []) if isinstance(body, dict) else []
    assert isinstance(devices, list)
    return devices


def test_what_is_no_nodes_name_is_no_pool() -> None:
    """The kubelet would not take it either."""
    with pytest.raises(ValueError, match="expected a node's name"):
        Publication(DRIVER, "Worker 1")
