"""What is to be written to the API server: a node's condition and events. A state machine, no I/O in here.

    outbox.hold(condition, now, wall); outbox.say(event, now, wall)
    requests = outbox.take(now, wall); ...; remarks = outbox.answered(answers, now, random); outbox.due_at()

`now` is a clock's seconds, `wall` seconds since 1970. Nothing is asked in peace. While the API server is away all of it
waits, and is written later with the times at which it happened; what it refuses is dropped (an event) or tried again
later (the condition), and holds up nothing else.
"""

from collections import Counter
from typing import Literal, NamedTuple

from furiosa_npu.cluster.api import Answer, ApiRequest, Fate, complaint, fate, right
from furiosa_npu.cluster.condition import Condition
from furiosa_npu.cluster.condition_keeper import ConditionKeeper
from furiosa_npu.cluster.event_queue import EventQueue, Limits
from furiosa_npu.cluster.events import Event, Source
from furiosa_npu.cluster.objects import is_subject
from furiosa_npu.cluster.retry import delay_seconds

AWAY = "ask the API server"
"""what failed where no answer came at all, beside RBAC's words"""


class Remark(NamedTuple):
    """A sentence for the log: troubles once each, and their ends."""

    level: Literal["debug", "info", "warning"]
    text: str


class Outbox:
    """What one agent has to say to the API server."""

    def __init__(self, source: Source, limits: Limits | None = None, not_before: float = float("-inf")) -> None:
        """`source.host` is the node whose condition is kept. Before `not_before` nothing is asked (retry.py)."""
        self._limits = limits or Limits()
        self._condition = ConditionKeeper(source.host, self._limits.gather_seconds)
        self._events = EventQueue(source, self._limits)
        self._asked: list[tuple[Event | None, ApiRequest]] = []
        self._failures = 0
        self._retry_at = not_before
        self._troubles: dict[str, int | None] = {}
        self._dropped = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        """("condition" or "event", "written", "refused" or "dropped") to how many; an event's new count is a write"""

    def hold(self, condition: Condition, now: float, wall: float) -> None:
        """The node's condition is this from now on."""
        self._condition.hold(condition, now, wall)

    def say(self, event: Event, now: float, wall: float) -> tuple[Remark, ...]:
        """It happened."""
        if not is_subject(event.about):
            self.counts["event", "dropped"] += 1
            return (Remark("warning", f"event not written: found '{event.about}', expected an object's name"),)
        dropped = self._events.say(event, now, wall)
        if dropped:
            self.counts["event", "dropped"] += dropped
        first = dropped > 0 and self._dropped == 0
        self._dropped += dropped
        kept = self._limits.kept
        return (Remark("warning", f"more than {kept} events wait to be written: the oldest are dropped"),) * first

    def due_at(self) -> float | None:
        """When `take` gives something; None: nothing waits, or an answer has to come first."""
        if self._asked:
            return None
        times = [at for at in (self._condition.due_at(), self._events.due_at()) if at is not None]
        return max(self._retry_at, min(times)) if times else None

    def take(self, now: float, wall: float) -> tuple[ApiRequest, ...]:
        """What to ask now, all of it by one child; nothing more before `answered`."""
        if self._asked or now < self._retry_at:
            return ()
        condition = self._condition.take(now, wall)
        if condition is not None:
            self._asked.append((None, condition))
        self._asked += self._events.take(now, self._limits.batch - len(self._asked))
        return tuple(request for _, request in self._asked)

    def take_last(self, condition: Condition, now: float, wall: float) -> tuple[ApiRequest, ...]:
        """The same at the agent's end: `condition` and what waits, whatever was waited for."""
        self._retry_at = float("-inf")
        self._condition.hold(condition, now, wall)
        self._condition.hurry(now)
        self._events.hurry(now)
        return self.take(now, wall)

    def answered(
        self, answers: tuple[Answer, ...], now: float, random: float, *, broken_off: bool = False
    ) -> tuple[Remark, ...]:
        """An answer for each request of `take`, in order. `random` (0 to 1) spreads the retries of many nodes.

        `broken_off`: by ourselves, before all of it was answered, which is no trouble of the API server's.
        """
        asked, self._asked = self._asked, []
        reached = any(fate(answer) != "later" for answer in answers)
        self._failures = 0 if reached else self._failures + 1
        self._retry_at = float("-inf") if reached else now + delay_seconds(self._failures, random)
        remarks: list[Remark] = []
        for (event, request), answer in zip(asked, answers, strict=True):
            if event is None:
                self._condition.answered(answer, now, random, reached=reached)
                what: Fate | None = fate(answer)
                kind = "condition"
            else:
                kind, what = "event", self._events.answered(event, request, answer, now, random, reached=reached)
            if what in ("written", "refused"):
                self.counts[kind, what] += 1
            if what in ("written", None):
                self._well(request, remarks)
            elif not broken_off:
                self._trouble(event, request, answer, remarks)
        return tuple(remarks)

    @property
    def failing(self) -> bool:
        """Something was not taken, and nothing of its kind has been since."""
        return bool(self._troubles)

    def waiting(self) -> int:
        """How many events wait to be written."""
        return self._events.waiting()

    def _well(self, request: ApiRequest, remarks: list[Remark]) -> None:
        were = len(self._troubles)
        self._troubles.pop(AWAY, None)
        self._troubles.pop(right(request), None)
        if were and not self._troubles:
            remarks.append(Remark("info", "the API server takes what is written again"))
        if self._dropped:
            text = f"{self._dropped} events were dropped: more than {self._limits.kept} waited"
            remarks.append(Remark("warning", text))
            self._dropped = 0

    def _trouble(self, event: Event | None, request: ApiRequest, answer: Answer, remarks: list[Remark]) -> None:
        """Said once a right and status, not once a namespace or a second."""
        said = complaint(request, answer) or "an answer that says nothing"
        if event is not None and answer.status == 404:
            remarks.append(Remark("debug", f"no event about {event.about}, which is gone: {said}"))
            return
        what = AWAY if answer.status is None else right(request)
        if what not in self._troubles or self._troubles[what] != answer.status:
            remarks.append(Remark("warning", f"not written: {said}"))
        self._troubles[what] = answer.status
