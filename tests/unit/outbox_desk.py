"""An outbox told by hand on a clock of its own, what it is told of, and what the API server answers."""

import json

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.condition import Condition
from furiosa_npu.cluster.event_queue import Limits
from furiosa_npu.cluster.events import Event, Source
from furiosa_npu.cluster.objects import the_node, the_pod
from furiosa_npu.cluster.outbox import Outbox, Remark

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

    def __init__(self, limits: Limits | None = None, not_before: float = float("-inf")) -> None:
        self.outbox = Outbox(SOURCE, limits, not_before)
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
