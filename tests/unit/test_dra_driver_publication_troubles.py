"""What is said of slices that cannot be read or written, or are not stored as they were."""

import pytest

from furiosa_npu.cluster.api import Answer
from furiosa_npu.dra_driver.publication_trouble import Notice
from tests.unit.slices_desk import AWAY, NODE, PREFIX, Desk, card, visible

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


def test_a_slice_of_another_driver_of_this_name_is_deleted_and_told() -> None:
    """Whoever makes it would make it again: the two would go on for ever, and pods would be prepared by either."""
    desk = Desk()
    desk.offer(card(0))
    desk.settle()
    name = f"{NODE}-npu.furiosa.ai-abcde"
    one = next(iter(desk.server.slices.values()))
    desk.server.slices[name] = {**one, "metadata": {**one["metadata"], "name": name, "uid": "another"}}
    desk.publication.doubt(desk.now)
    desk.settle()
    assert name not in desk.server.slices
    (said,) = [notice for notice in desk.notices if notice.event is not None]
    assert (said.level, said.event) == ("warning", "NPUDriverTwice")
    assert said.text.startswith(
        f"resource slice {name} of the driver npu.furiosa.ai on this node was not made by this "
    )
    desk.offer()
    desk.settle()
    assert (desk.server.slices, [notice for notice in desk.notices if notice.event is not None]) == ({}, [said])


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
