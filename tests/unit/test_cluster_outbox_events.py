"""Events that wait to be written: counted, made anew, brought after a lost answer, about pods that come and go."""

import json

from furiosa_npu.cluster.api import Answer
from furiosa_npu.cluster.event_queue import Limits
from furiosa_npu.cluster.objects import the_pod
from tests.unit.outbox_desk import (
    BAD,
    CREATED,
    EXISTS,
    FAILED,
    FORBIDDEN,
    MISSING,
    NO_ANSWER,
    OK,
    POD,
    POD_TOLD,
    Desk,
    told,
)


def test_the_same_again_raises_the_count_and_no_more_often_than_each_minute() -> None:
    """Within ten minutes it is the same event; later it is a new one."""
    desk = Desk()
    desk.say(FAILED)
    desk.take_when_due()
    desk.answered(CREATED)
    seen = []
    for _ in range(3):
        desk.now += 7
        desk.say(FAILED)
    requests = desk.take_when_due()
    seen.append((desk.now, told(requests)))
    desk.answered(OK)
    desk.now += 601
    desk.say(FAILED)
    requests = desk.take_when_due()
    seen.append((desk.now, told(requests)))
    assert seen == [
        (61.0, [("PATCH", "namespaces/default", 4)]),
        (663.0, [("POST", "namespaces/default", 1)]),
    ]


def test_an_event_that_the_server_forgot_is_made_anew() -> None:
    """It lives for an hour there; our count goes on under a new name."""
    desk = Desk()
    desk.say(FAILED)
    (first,) = desk.take_when_due()
    desk.answered(CREATED)
    desk.say(FAILED)
    assert told(desk.take_when_due()) == [("PATCH", "namespaces/default", 2)]
    desk.answered(MISSING)
    (second,) = desk.take_when_due()
    assert told((second,)) == [("POST", "namespaces/default", 2)]
    names = [json.loads(request.body or "")["metadata"]["name"] for request in (first, second)]
    assert names[0] != names[1]


def test_an_event_that_a_lost_answer_had_made_is_not_made_twice() -> None:
    """The retried POST is answered with 409: the event is there, written, and nothing more is due."""
    desk = Desk()
    desk.say(FAILED)
    (first,) = desk.take_when_due()
    desk.answered(NO_ANSWER)
    (second,) = desk.take_when_due()
    assert (second.method, second.path, second.body) == ("POST", first.path, first.body)
    desk.answered(EXISTS)
    assert (desk.outbox.due_at(), desk.outbox.waiting()) == (None, 0)
    assert desk.outbox.counts == {("event", "written"): 1}


def test_what_was_said_after_a_lost_answer_is_brought_to_the_event_that_it_made() -> None:
    """The event has the count of the first POST that was lost; a PATCH brings the newest one."""
    desk = Desk()
    desk.say(FAILED)
    (made,) = desk.take_when_due()
    desk.answered(NO_ANSWER)
    desk.say(FAILED)
    assert told(desk.take_when_due()) == [("POST", "namespaces/default", 2)]
    desk.answered(NO_ANSWER)
    desk.say(FAILED)
    assert told(desk.take_when_due()) == [("POST", "namespaces/default", 3)]
    desk.answered(EXISTS)
    (newest,) = desk.take_when_due()
    name = json.loads(made.body or "")["metadata"]["name"]
    assert (newest.method, newest.path) == ("PATCH", f"{made.path}/{name}")
    assert json.loads(newest.body or "")["count"] == 3


def test_an_event_that_is_there_and_was_never_asked_for_is_a_refusal() -> None:
    """A 409 to a first POST speaks of somebody else's event."""
    desk = Desk()
    desk.say(FAILED)
    desk.take_when_due()
    desk.answered(EXISTS)
    assert (desk.outbox.waiting(), desk.outbox.counts) == (0, {("event", "refused"): 1})


def test_a_pod_of_the_same_name_is_told_though_the_last_ones_answer_was_lost() -> None:
    """Its event has a name of its own, and counts what concerns it."""
    desk = Desk()
    desk.say(POD_TOLD)
    desk.take_when_due()
    desk.answered(POD)
    (old,) = desk.take_when_due()
    desk.answered(NO_ANSWER)
    desk.say(POD_TOLD)
    assert told(desk.take_when_due()) == [("GET", "namespaces/a/pods/p", None)]
    desk.answered(Answer(200, {"metadata": {"uid": "u2"}}, None))
    (new,) = desk.take_when_due()
    bodies = [json.loads(request.body or "") for request in (old, new)]
    assert [(body["involvedObject"]["uid"], body["count"]) for body in bodies] == [("u1", 1), ("u2", 1)]
    assert bodies[0]["metadata"]["name"] != bodies[1]["metadata"]["name"]


def test_an_event_about_a_pod_asks_for_its_uid_first() -> None:
    """Two rounds; the second at once."""
    desk = Desk()
    desk.say(POD_TOLD)
    assert told(desk.take_when_due()) == [("GET", "namespaces/a/pods/p", None)]
    desk.answered(POD)
    (request,) = desk.take_when_due()
    assert (desk.now, json.loads(request.body or "")["involvedObject"]["uid"]) == (1.0, "u1")


def test_a_refusal_drops_one_event_holds_up_no_other_and_is_said_once() -> None:
    """403 in one namespace; the condition is written all the same."""
    desk = Desk()
    desk.hold(BAD)
    desk.say(FAILED)
    desk.say(FAILED._replace(reason="NPUGone"))
    assert len(desk.take_when_due()) == 3
    desk.answered(OK, FORBIDDEN, FORBIDDEN)
    for _ in range(Limits().refusals - 1):
        assert len(desk.take_when_due()) == 2
        desk.answered(FORBIDDEN, FORBIDDEN)
    assert desk.now == 8.0
    assert (desk.outbox.waiting(), desk.outbox.due_at()) == (0, None)
    assert desk.outbox.counts == {("condition", "written"): 1, ("event", "refused"): 2}
    (remark,) = desk.remarks
    assert remark.text.endswith("the right to create events is missing (ClusterRole and its binding)")


def test_an_api_server_that_starts_and_knows_no_roles_yet_gets_the_event_a_moment_later() -> None:
    """Once and with its count, though it forbade it thrice."""
    desk = Desk()
    desk.say(FAILED)
    for _ in range(Limits().refusals - 1):
        desk.take_when_due()
        desk.answered(FORBIDDEN)
    assert told(desk.take_when_due()) == [("POST", "namespaces/default", 1)]
    desk.answered(CREATED)
    assert (desk.outbox.waiting(), desk.outbox.counts, desk.outbox.failing) == (0, {("event", "written"): 1}, False)


def test_events_about_a_pod_that_is_gone_are_no_trouble() -> None:
    """Dropped, at the level debug."""
    desk = Desk()
    desk.say(POD_TOLD)
    desk.take_when_due()
    desk.answered(MISSING)
    assert (desk.outbox.waiting(), [remark.level for remark in desk.remarks]) == (0, ["debug"])


def test_what_is_no_objects_name_is_dropped_and_said() -> None:
    """No request could be made of it."""
    desk = Desk()
    desk.say(FAILED._replace(about=the_pod("a/b", "p")))
    assert (desk.outbox.due_at(), len(desk.remarks)) == (None, 1)
