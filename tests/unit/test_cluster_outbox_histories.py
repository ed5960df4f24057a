"""The outbox in thousands of histories: what is kept is bounded, and in the end everything comes to be written."""

import itertools
import json
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.condition import Condition
from furiosa_npu.cluster.event_queue import Limits
from furiosa_npu.cluster.events import Event
from furiosa_npu.cluster.objects import the_node, the_pod
from furiosa_npu.cluster.retry import LONGEST_SECONDS
from tests.unit.outbox_desk import BAD, CREATED, EXISTS, FORBIDDEN, HOT, MISSING, NO_ANSWER, OK, POD, WALL, WELL, Desk


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
