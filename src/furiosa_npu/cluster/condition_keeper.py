"""Keeps one condition of the node as wanted: when to write it, and what the answers mean. No I/O in here.

The newest wins: what was superseded before it was written is never written, and what turned back in time is no write
at all. New words for the same status are written five at once and then one in thirty seconds: a card that flaps all day
has another reason each time.
"""

from furiosa_npu.cluster.api import Answer, ApiRequest, fate
from furiosa_npu.cluster.bucket import Bucket
from furiosa_npu.cluster.condition import Condition, patch_node_condition
from furiosa_npu.cluster.retry import delay_seconds

BURST, REFILL_SECONDS = 5, 30.0


class ConditionKeeper:
    """The condition of one node."""

    def __init__(self, node: str, gather_seconds: float) -> None:
        """`gather_seconds`: from a change to its write, and so between two writes at least."""
        self._node = node
        self._gather_seconds = gather_seconds
        self._wanted: Condition | None = None
        self._wanted_since = 0.0
        self._written: Condition | None = None
        self._asked: Condition | None = None
        self._failures = 0
        self._due_at: float | None = None
        self._words = Bucket(BURST, REFILL_SECONDS)

    def hold(self, condition: Condition, now: float, wall: float) -> None:
        """This is how it is now."""
        if self._wanted is None or self._wanted.status != condition.status:
            self._wanted_since = wall
        self._wanted = condition
        if condition == self._written:
            self._due_at = None
        elif self._due_at is None:
            self._due_at = now + self._gather_seconds

    def hurry(self, now: float) -> None:
        """There is no later: whatever is to be written is due."""
        self._words = Bucket(BURST, REFILL_SECONDS)
        if self._due_at is not None:
            self._due_at = now

    def due_at(self) -> float | None:
        """When there is something to write; None: nothing."""
        if self._asked is not None or self._due_at is None:
            return None
        return max(self._due_at, self._words.free_at()) if self._is_same_status() else self._due_at

    def take(self, now: float, wall: float) -> ApiRequest | None:
        """What to ask now, if anything; its answer goes to `answered`."""
        due_at = self.due_at()
        if self._wanted is None or due_at is None or now < due_at:
            return None
        same = self._is_same_status()
        if same:
            self._words = self._words.take(now)
        request = patch_node_condition(self._node, self._wanted, wall, None if same else self._wanted_since)
        self._asked, self._due_at = self._wanted, None
        return request

    def _is_same_status(self) -> bool:
        return self._written is not None and self._wanted is not None and self._written.status == self._wanted.status

    def answered(self, answer: Answer, now: float, random: float, *, reached: bool) -> None:
        """`reached`: the API server took or refused something just now, so a trouble is this condition's own."""
        asked, self._asked = self._asked, None
        match fate(answer):
            case "written":
                self._written, self._failures = asked, 0
                self._due_at = None if self._wanted == asked else now + self._gather_seconds
                return
            case "later":
                self._written = None  # it may or may not have been
        self._failures = self._failures + 1 if reached else 0
        self._due_at = now + max(self._gather_seconds, delay_seconds(self._failures, random) if reached else 0.0)
        if self._wanted == self._written:
            self._due_at = None
