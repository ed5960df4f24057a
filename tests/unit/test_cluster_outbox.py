"""What waits to be written to the API server: together, within bounds, when that is away, and at the end."""

import json

from furiosa_npu.cluster.event_queue import Limits
from furiosa_npu.cluster.outbox import Remark
from tests.unit.outbox_desk import (
    BAD,
    CREATED,
    FAILED,
    FORBIDDEN,
    HOT,
    LEFT,
    NO_ANSWER,
    OK,
    WALL,
    WELL,
    Desk,
    told,
)


def test_what_happens_together_is_written_together_once() -> None:
    """A second after the first news; then nothing more is due."""
    desk = Desk()
    desk.hold(BAD)
    desk.say(FAILED)
    desk.now = 0.5
    desk.say(FAILED)
    requests = desk.take_when_due()
    assert (desk.now, told(requests)) == (
        1.0,
        [("PATCH", "nodes/n1/status", "NotAlive"), ("POST", "namespaces/default", 2)],
    )
    assert desk.outbox.due_at() is None
    desk.answered(OK, CREATED)
    assert (desk.outbox.due_at(), desk.outbox.waiting(), desk.remarks) == (None, 0, [])
    assert desk.outbox.counts == {("condition", "written"): 1, ("event", "written"): 1}


def test_a_server_that_is_away_gets_all_of_it_later_with_the_times_at_which_it_happened() -> None:
    """Later each time; the trouble and its end are said once."""
    desk = Desk()
    desk.hold(BAD)
    desk.say(FAILED)
    tries = []
    for _ in range(3):
        requests = desk.take_when_due()
        tries.append(desk.now)
        desk.answered(*(NO_ANSWER for _ in requests))
    requests = desk.take_when_due()
    tries.append(desk.now)
    desk.answered(OK, CREATED)
    assert tries == [1.0, 2.0, 4.0, 8.0]
    body = json.loads(requests[1].body or "")
    assert (body["firstTimestamp"], body["count"]) == ("2026-01-31T10:00:00Z", 1)
    assert desk.remarks == [
        Remark("warning", f"not written: {NO_ANSWER.error}"),
        Remark("info", "the API server takes what is written again"),
    ]


def test_it_fails_from_what_is_not_taken_until_the_like_of_it_is() -> None:
    """The API server is away, then a right is missing, which a condition that is written does not disprove."""
    desk, gone = Desk(Limits(refusals=1)), FAILED._replace(reason="NPUGone")
    failing: list[bool] = []
    for event, *answers in ((None, NO_ANSWER), (FAILED, OK, FORBIDDEN), (None, OK), (gone, OK, CREATED)):
        desk.hold(HOT if len(failing) % 2 else BAD)
        if event is not None:
            desk.say(event)
        desk.take_when_due()
        desk.answered(*answers)
        failing.append(desk.outbox.failing)
    assert failing == [True, True, True, False]


def test_after_a_start_nothing_is_asked_for_a_while_but_an_agents_last_word() -> None:
    """What chance gave to this node; an agent that ends has no time to wait."""
    desk = Desk(not_before=1.7)
    desk.hold(BAD)
    desk.say(FAILED)
    assert desk.outbox.due_at() == 1.7
    assert (desk.outbox.take(1.6, WALL), len(desk.take_when_due()), desk.now) == ((), 2, 1.7)
    desk = Desk(not_before=1.7)
    assert len(desk.outbox.take_last(LEFT, 0.1, WALL)) == 1


def test_no_more_than_the_bucket_holds_is_written_at_once() -> None:
    """25, then one in ten seconds."""
    desk = Desk(Limits(batch=100))
    for number in range(27):
        desk.say(FAILED._replace(message=f"npu{number}"))
    taken = []
    while desk.outbox.waiting():
        requests = desk.take_when_due()
        taken.append((desk.now, len(requests)))
        desk.answered(*(CREATED for _ in requests))
    assert taken == [(1.0, 25), (11.0, 1), (21.0, 1)]


def test_what_nobody_can_write_is_bounded_and_the_number_of_the_dropped_is_said() -> None:
    """The oldest go; said at the first, and how many at the end."""
    desk = Desk(Limits(kept=3, batch=100))
    for number in range(5):
        desk.say(FAILED._replace(message=f"npu{number}"))
    requests = desk.take_when_due()
    assert [json.loads(request.body or "")["message"] for request in requests] == ["npu2", "npu3", "npu4"]
    desk.answered(*(CREATED for _ in requests))
    assert desk.remarks == [
        Remark("warning", "more than 3 events wait to be written: the oldest are dropped"),
        Remark("warning", "2 events were dropped: more than 3 waited"),
    ]
    assert desk.outbox.counts == {("event", "dropped"): 2, ("event", "written"): 3}


def test_at_the_end_all_that_waits_is_due_the_condition_first() -> None:
    """Whatever back-off was running."""
    desk = Desk()
    desk.hold(WELL)
    desk.say(FAILED)
    desk.take_when_due()
    desk.answered(NO_ANSWER, NO_ANSWER)
    requests = desk.outbox.take_last(LEFT, desk.now, WALL)
    assert told(requests) == [
        ("PATCH", "nodes/n1/status", "PluginStopped"),
        ("POST", "namespaces/default", 1),
    ]


def test_what_was_broken_off_is_no_trouble_and_hides_none() -> None:
    """At the agent's end a child under way is killed; that the API server is away is said when the last word fails."""
    desk = Desk()
    desk.hold(WELL)
    desk.take_when_due()
    assert desk.outbox.answered((NO_ANSWER,), desk.now, 1.0, broken_off=True) == ()
    desk.outbox.take_last(LEFT, desk.now, WALL)
    desk.answered(NO_ANSWER)
    assert desk.remarks == [Remark("warning", f"not written: {NO_ANSWER.error}")]
