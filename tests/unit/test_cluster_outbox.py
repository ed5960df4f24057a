"""What waits to be written to the API server: told by hand on a clock of its own, then by thousands of histories."""

import itertools
import json
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.condition import Condition
from furiosa_npu.cluster.event_queue import Limits
from furiosa_npu.cluster.events import Event, Source
from furiosa_npu.cluster.objects import the_node, the_pod
from furiosa_npu.cluster.outbox import Outbox, Remark
from furiosa_npu.cluster.retry import LONGEST_SECONDS

SOURCE = Source("furiosa-npu-plugin", "n1")
WELL = Condition("FuriosaNPUHealthy", "True", "AllNPUsHealthy", "2 NPUs, none unhealthy")
BAD = Condition("FuriosaNPUHealthy", "False", "NotAlive", "npu0 is dead")
HOT = BAD._replace(reason="Temperature")
LEFT = Condition("FuriosaNPUHealthy", "Unknown", "PluginStopped", "stopped")
FAILED = Event(the_node("n1"), "Warning", "NPUFailed", "npu0 failed")
POD_TOLD = Event(the_pod("a", "p"), "Warning", "NPUFailed", "npu0 failed")
WALL = 1769853600.0
"""seconds since 1970 at 0 of the clock"""
NO_ANSWER = Answer(None, None, "https://api: cannot connect (Connection refused): is the API server away?")
CREATED = Answer(201, {}, None)
OK = Answer(200, {}, None)
POD = Answer(200, {"metadata": {"uid": "u1"}}, None)
FORBIDDEN = Answer(403, {"message": "no"}, None)
MISSING = Answer(404, {"message": "not found"}, None)
EXISTS = Answer(409, {"message": "already exists"}, None)


def told(requests: tuple[ApiRequest, ...]) -> list[tuple[str, str, object]]:
    """Verb, the end of the path, and what matters of the body."""
    short = []
    for request in requests:
        body = json.loads(request.body) if request.body else {}
        what: object = body.get("count")
        if "status" in body:
            (entry,) = body["status"]["conditions"]
            what = entry["reason"]
        path = request.path.removeprefix("/api/v1/")
        short.append((request.method, path.split("/events/")[0].removesuffix("/events"), what))
    return short


class Desk:
    """An outbox and a clock."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.outbox = Outbox(SOURCE, limits)
        self.now = 0.0
        self.remarks: list[Remark] = []

    def hold(self, condition: Condition) -> None:
        self.outbox.hold(condition, self.now, WALL + self.now)

    def say(self, event: Event) -> None:
        self.remarks += self.outbox.say(event, self.now, WALL + self.now)

    def take_when_due(self) -> tuple[ApiRequest, ...]:
        """Goes on to the time at which something is due, and takes it."""
        due_at = self.outbox.due_at()
        assert due_at is not None
        self.now = max(self.now, due_at)
        return self.outbox.take(self.now, WALL + self.now)

    def answered(self, *answers: Answer, random: float = 1.0) -> None:
        self.remarks += self.outbox.answered(answers, self.now, random)


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


def test_an_event_about_a_pod_asks_for_its_uid_first() -> None:
    """Two rounds; the second at once."""
    desk = Desk()
    desk.say(POD_TOLD)
    assert told(desk.take_when_due()) == [("GET", "namespaces/a/pods/p", None)]
    desk.answered(POD)
    (request,) = desk.take_when_due()
    assert (desk.now, json.loads(request.body or "")["involvedObject"]["uid"]) == (1.0, "u1")


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


def test_a_refusal_drops_one_event_holds_up_no_other_and_is_said_once() -> None:
    """403 in one namespace; the condition is written all the same."""
    desk = Desk()
    desk.hold(BAD)
    desk.say(FAILED)
    desk.say(FAILED._replace(reason="NPUGone"))
    assert len(desk.take_when_due()) == 3
    desk.answered(OK, FORBIDDEN, FORBIDDEN)
    assert (desk.outbox.waiting(), desk.outbox.due_at()) == (0, None)
    assert desk.outbox.counts == {("condition", "written"): 1, ("event", "refused"): 2}
    (remark,) = desk.remarks
    assert remark.text.endswith("the right to create events is missing (ClusterRole and its binding)")


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


def test_events_about_a_pod_that_is_gone_are_no_trouble() -> None:
    """Dropped, at the level debug."""
    desk = Desk()
    desk.say(POD_TOLD)
    desk.take_when_due()
    desk.answered(MISSING)
    assert (desk.outbox.waiting(), [remark.level for remark in desk.remarks]) == (0, ["debug"])


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


def test_what_is_no_objects_name_is_dropped_and_said() -> None:
    """No request could be made of it."""
    desk = Desk()
    desk.say(FAILED._replace(about=the_pod("a/b", "p")))
    assert (desk.outbox.due_at(), len(desk.remarks)) == (None, 1)


class Histories(RuleBasedStateMachine):
    """Cards go and come, the API server is away, loses answers, refuses and forgets; a model keeps what it has."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(kept=8, batch=5, burst=3)
        self.desk = Desk(self.limits)
        self.asked: tuple[ApiRequest, ...] = ()
        self.events: dict[str, int] = {}
        """counts by the event's path"""
        self.said = Counter[str]()
        self.condition: str | None = None
        self.held: Condition | None = None
        self.condition_writes: list[float] = []
        self.lossy = False
        """whether events may be refused and forgotten in this history"""

    @initialize(lossy=st.booleans())
    def it_begins(self, lossy: bool) -> None:
        self.lossy = lossy

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 7.0, 61.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.desk.now += seconds

    @rule(number=st.sampled_from([0, 0, 0, *range(12)]), pod=st.booleans())
    def something_happens(self, number: int, pod: bool) -> None:
        about = the_pod("a", f"p{number % 2}") if pod else the_node("n1")
        self.desk.say(Event(about, "Warning", "NPUFailed", f"npu{number}"))
        self.said["all"] += 1

    @rule(condition=st.sampled_from([WELL, BAD, HOT]))
    def the_condition_is(self, condition: Condition) -> None:
        self.held = condition
        self.desk.hold(condition)

    @rule()
    def the_child_starts(self) -> None:
        if not self.asked:
            self.asked = self.desk.outbox.take(self.desk.now, WALL + self.desk.now)
            assert len(self.asked) <= self.limits.batch
            for request in self.asked:
                if request.path.endswith("/status"):
                    self.condition_writes.append(self.desk.now)

    @rule(
        mood=st.sampled_from(["well", "well", "away", "lost", "refuses", "busy", "forgets"]),
        random=st.sampled_from([0.0, 0.7, 1.0]),
    )
    def it_is_answered(self, mood: str, random: float = 1.0) -> None:
        if self.asked:
            if mood in ("refuses", "forgets") and not self.lossy:
                mood = "well"
            if mood == "forgets":
                self.events.clear()
            asked, self.asked = self.asked, ()
            self.desk.answered(*(self._answer(request, mood) for request in asked), random=random)

    def _answer(self, request: ApiRequest, mood: str) -> Answer:
        if mood == "away":
            return NO_ANSWER
        if mood == "busy":
            return Answer(503, {"message": "busy"}, None)
        if mood == "refuses" and not request.path.endswith("/status"):
            return FORBIDDEN
        answer = self._done(request)
        return NO_ANSWER if mood == "lost" else answer

    def _done(self, request: ApiRequest) -> Answer:
        body = json.loads(request.body) if request.body else {}
        if request.path.endswith("/status"):
            self.condition = body["status"]["conditions"][0]["reason"]
            return OK
        if request.method == "GET":
            return POD
        path = f"{request.path}/{body['metadata']['name']}" if request.method == "POST" else request.path
        if request.method == "POST" and path in self.events:
            return EXISTS
        if request.method == "PATCH" and path not in self.events:
            return MISSING
        self.events[path] = body["count"]
        return CREATED

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        """However long the API server is away."""
        assert self.desk.outbox.waiting() <= self.limits.kept + self.limits.batch

    @invariant()
    def conditions_are_a_second_apart(self) -> None:
        """At least."""
        writes = self.condition_writes
        assert all(later - earlier >= 0.999 for earlier, later in itertools.pairwise(writes))

    @invariant()
    def events_come_no_faster_than_the_bucket_lets_them(self) -> None:
        """Burst and refill; what is tried again is no further event."""
        most = self.limits.burst + self.desk.now / self.limits.refill_seconds
        assert self.desk.outbox.counts["event", "written"] <= most

    def teardown(self) -> None:
        """With a server that is well, everything comes to be written, and then nothing is due."""
        self.it_is_answered("well")
        rounds = 0
        while self.desk.outbox.due_at() is not None:
            before = self.desk.now
            self.asked = self.desk.take_when_due()
            assert self.asked
            assert self.desk.now - before <= max(LONGEST_SECONDS, self.limits.repeat_seconds)
            self.it_is_answered("well")
            rounds += 1
            assert rounds < 100
        assert self.desk.outbox.waiting() == 0
        assert self.condition == (self.held.reason if self.held else None)
        counted, said = sum(self.events.values()), self.said["all"]
        assert counted <= said
        assert counted == said or self.lossy or self.desk.outbox.counts["event", "dropped"]


Histories.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestHistories = Histories.TestCase
