"""Keeps the node's two labels as wanted: what to ask the API server next, and what its answers mean. No I/O in here.

    keeper.look(sight, now); request = keeper.due(now); ...; keeper.answered(request, answer, now, random)

The node is read once; from then on each answer to a patch says how its labels stand. A patch whose outcome is unknown
(no answer) makes the node be read again. In peace nothing is asked.

That nothing of an NPU is there any more has to hold for a while before the labels go: a card that is reset over its bus
(remove, rescan) is gone for a moment with every sign it has, and the plugin's pod must not go with it.
"""

from typing import NamedTuple

from furiosa_npu.cluster.api import Answer, ApiRequest, complaint
from furiosa_npu.cluster.node import get_node, labels_of, patch_node_labels
from furiosa_npu.cluster.retry import delay_seconds
from furiosa_npu.node_labeller.labels import LABELS, Labels, Sight, changes, wanted_labels

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

    def __init__(self, node: str, silicon_hwtype: str | None) -> None:
        self._node = node
        self._silicon_hwtype = silicon_hwtype
        self._sight: Sight | None = None
        self._gone_since: float | None = None
        self._held = False
        self._current: Labels | None = None
        self._asked: Labels = {}
        self._failures = 0
        self._retry_at: float | None = None
        self.complaint: str | None = None
        """why the last request failed; None: it did not"""

    def look(self, sight: Sight, now: float) -> float | None:
        """What is on the node was looked at once more; when another look is needed before labels go, else None."""
        self._sight = sight
        if sight.nothing:
            self._gone_since = now if self._gone_since is None else self._gone_since
        else:
            self._gone_since = None
        again_at = None if self._gone_since is None else self._gone_since + GONE_SECONDS
        self._held = again_at is not None and now < again_at
        if self._next() is None:
            self._settle()
        return again_at if self._held else None

    def due(self, now: float) -> ApiRequest | None:
        """What to ask now; None: nothing, or not yet."""
        if self._retry_at is not None and now < self._retry_at:
            return None
        self._asked = self._patch()
        return self._next()

    def retry_at(self) -> float | None:
        """When `due` gives something again after a failure; None: there is no failure to mend."""
        return self._retry_at

    def answered(self, request: ApiRequest, answer: Answer, now: float, random: float) -> Outcome:
        """`random` (0 to 1) spreads the retries of many nodes."""
        before = self._current or {}
        said = complaint(request, answer)
        if said is None:
            try:
                labels = labels_of(answer.body)
                self._current = {name: labels.get(name) for name in LABELS}
            except ValueError as error:
                said = str(error)
        elif request.method == "PATCH" and (answer.status is None or answer.status == 404):
            self._current = None
        if said is None and request.method == "PATCH":
            lost = sorted(changes(self._asked, self._current or {}))
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
        return Outcome(changes(self._asked, before) if request.method == "PATCH" else {}, None, None)

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

    def _patch(self) -> Labels:
        if self._sight is None or self._current is None or self._held:
            return {}
        return changes(wanted_labels(self._sight, self._current, self._silicon_hwtype), self._current)

    def _next(self) -> ApiRequest | None:
        if self._current is None:
            return get_node(self._node)
        patch = self._patch()
        return patch_node_labels(self._node, patch) if patch else None
