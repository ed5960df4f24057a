"""The node's condition that waits to be written: the newest one, when it changed, and no more often than it may."""

import json

from tests.unit.outbox_desk import BAD, CREATED, FAILED, FORBIDDEN, HOT, NO_ANSWER, OK, WELL, Desk, told


def test_the_newest_condition_wins_and_one_that_turned_back_is_not_written() -> None:
    """What was superseded before its turn is never written; two writes are a second apart at least."""
    desk = Desk()
    desk.hold(WELL)
    desk.hold(BAD)
    assert told(desk.take_when_due()) == [("PATCH", "nodes/n1/status", "NotAlive")]
    desk.hold(HOT)
    desk.answered(OK)
    assert desk.outbox.due_at() == 2.0
    desk.hold(BAD)
    assert desk.outbox.due_at() is None


def test_the_time_of_a_change_is_that_of_the_status_and_is_told_when_it_changed() -> None:
    """At the first write, and when True becomes False; not for another reason of the same status."""
    desk = Desk()
    times = []
    for at, condition in ((0.0, WELL), (10.0, BAD), (20.0, HOT)):
        desk.now = at
        desk.hold(condition)
        (request,) = desk.take_when_due()
        (entry,) = json.loads(request.body or "")["status"]["conditions"]
        times.append((entry["lastHeartbeatTime"][11:], entry.get("lastTransitionTime", "")[11:]))
        desk.answered(OK)
    assert times == [("10:00:01Z", "10:00:00Z"), ("10:00:11Z", "10:00:10Z"), ("10:00:21Z", "")]


def test_a_condition_that_is_refused_is_tried_again_later_and_holds_up_no_event() -> None:
    """The right may come; its own waiting grows, events go on."""
    desk = Desk()
    desk.hold(BAD)
    desk.say(FAILED)
    desk.take_when_due()
    desk.answered(FORBIDDEN, CREATED)
    assert desk.outbox.due_at() == 2.0
    desk.take_when_due()
    desk.answered(FORBIDDEN)
    assert desk.outbox.due_at() == 2.0 + 2.0
    assert len(desk.remarks) == 1


def test_a_refused_condition_waits_a_second_at_least() -> None:
    """However low the chance that spreads the nodes comes out: half a second would be two writes a second."""
    desk = Desk()
    desk.hold(BAD)
    desk.take_when_due()
    desk.answered(FORBIDDEN, random=0.0)
    assert desk.outbox.due_at() == 2.0


def test_new_words_for_the_same_status_are_bounded_and_a_new_status_is_not() -> None:
    """A card that flaps all day has another reason each second; that it is well at last is told at once."""
    desk = Desk()
    writes: list[float] = []
    while desk.now < 600.0:
        desk.hold(BAD if len(writes) % 2 else HOT)
        desk.take_when_due()
        desk.answered(OK)
        writes.append(desk.now)
    assert writes[:6] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert len(writes) <= 6 + 600 / 30
    desk.hold(WELL)
    assert desk.outbox.due_at() == desk.now + 1.0


def test_a_condition_that_turned_back_after_a_lost_answer_is_written_again() -> None:
    """What the API server has is not known then; said before the loss is known, or after."""
    for early in (True, False):
        desk = Desk()
        desk.hold(WELL)
        desk.take_when_due()
        desk.answered(OK)
        desk.hold(BAD)
        desk.take_when_due()
        if early:
            desk.hold(WELL)
        desk.answered(NO_ANSWER)
        desk.hold(WELL)
        assert told(desk.take_when_due()) == [("PATCH", "nodes/n1/status", "AllNPUsHealthy")]
        desk.answered(OK)
        assert desk.outbox.due_at() is None
