"""Keeps a node's labels as wanted: what to ask next, and what the answers mean. No I/O in here.

    keeper.look(sight, now); request = keeper.due(now); ...; keeper.answered(request, answer, now, random)

The board is read once; from then on each answer to a write says how the labels stand. A write whose outcome is unknown
(no answer) makes it be read again. In peace nothing is asked.

That nothing of an NPU is there any more has to hold for a while before the labels go: a card that is reset over its bus
(remove, rescan) is gone for a moment with every sign it has, and the plugin's pod must not go with it. A label of
`--labels` that is there changes, or goes, once what it follows has held for as long.
"""

from typing import NamedTuple

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.retry import delay_seconds
from furiosa_npu.node_labeller.board import Board, Standing
from furiosa_npu.node_labeller.labels import LABELS, Labels, More, Sight, changes, wanted_labels

GONE_SECONDS = 5.0
"""for so long nothing of an NPU has to be there, seen by two looks at least; a reset over the bus takes one or two"""


class Outcome(NamedTuple):
    """What one answer means."""

    written: Labels
    """labels that were changed; empty: none"""
    complaint: str | None
    """why it failed and whose fault it is"""
    retry_seconds: float | None
    """with a complaint: when it is tried again"""


class LabelKeeper:
    """The labels of one node."""

    def __init__(
        self,
        board: Board,
        silicon_hwtype: str | None,
        more: More | None = None,
        not_before: float | None = None,
    ) -> None:
        """`more`: labels beside LABELS. Before `not_before` nothing is asked (retry.py)."""
        self._board = board
        self._silicon_hwtype = silicon_hwtype
        self._more = more
        self._more_wanted: Labels = {}
        self._more_since = 0.0
        self._more_held = False
        self._sight: Sight | None = None
        self._gone_since: float | None = None
        self._held = False
        self._current: Standing | None = None
        self._asked: Labels = {}
        self._failures = 0
        self._retry_at = not_before
        self.complaint: str | None = None
        """why the last request failed; None: it did not"""

    def look(self, sight: Sight, now: float) -> float | None:
        """What is on the node was looked at once more; when another look is needed before labels go, else None."""
        self._sight = sight
        if sight.nothing:
            self._gone_since = now if self._gone_since is None else self._gone_since
        else:
            self._gone_since = None
        waits = [] if self._gone_since is None else [self._gone_since + GONE_SECONDS]
        self._held = any(now < at for at in waits)
        if self._more is not None:
            wanted = self._more.wanted(sight)
            if wanted != self._more_wanted:
                self._more_wanted, self._more_since = wanted, now
            waits.append(self._more_since + GONE_SECONDS)
            self._more_held = now < waits[-1]
        if self._next() is None:
            self._settle()
        return min((at for at in waits if now < at), default=None)

    def due(self, now: float) -> ApiRequest | None:
        """What to ask now; None: nothing, or not yet."""
        if self._retry_at is not None and now < self._retry_at:
            return None
        self._asked = self._changes()
        return self._next()

    def retry_at(self) -> float | None:
        """When `due` gives something again, after a failure or a start; None: it does not wait."""
        return self._retry_at

    def answered(self, request: ApiRequest, answer: Answer, now: float, random: float) -> Outcome:
        """`random` (0 to 1) spreads the retries of many nodes."""
        before = {} if self._current is None else self._current.labels
        is_write = request.method != "GET"
        said: str | None = None
        try:
            self._current = self._board.standing(request, answer)
        except ValueError as error:
            said = str(error)
            if is_write and answer.status in (None, 404, 409):
                self._current = None
        if said is None and is_write:
            lost = sorted(changes(self._asked, {} if self._current is None else self._current.labels))
            if lost:
                said = (
                    f"the API server took the patch, but {', '.join(lost)} is not as written: does something undo it?"
                )
        if said is not None:
            self._failures += 1
            delay = delay_seconds(self._failures, random)
            self._retry_at, self.complaint = now + delay, said
            return Outcome({}, said, delay)
        self._settle()
        return Outcome(changes(self._asked, before) if is_write else {}, None, None)

    def unsettled(self) -> str | None:
        """Why the labels are not (known to be) as wanted; None: they are."""
        if self.complaint is not None:
            return self.complaint
        if self._sight is None:
            return "the node's NPUs were not looked at yet"
        if self._next() is not None:
            return "the API server was not asked yet" if self._current is None else "the labels are being written"
        return None

    def _settle(self) -> None:
        self._failures, self._retry_at, self.complaint = 0, None, None

    def _changes(self) -> Labels:
        if self._sight is None or self._current is None or self._held:
            return {}
        there, own, _ = self._current
        wanted = wanted_labels(self._sight, there, self._silicon_hwtype)
        ours = () if self._more is None else self._more.names
        wanted |= {name: None for name in own if name not in LABELS and name not in ours}
        for name, value in self._more_wanted.items():
            if not self._more_held or name not in there:
                wanted[name] = value
        return changes(wanted, there)

    def _next(self) -> ApiRequest | None:
        if self._current is None:
            return self._board.read()
        wanted = self._changes()
        return self._board.write(wanted, self._current) if wanted else None
