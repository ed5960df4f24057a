"""Keeps the node's two labels as wanted: what to ask the API server next, and what its answers mean. No I/O in here.

    keeper.look(sight); request = keeper.due(now); ...; keeper.answered(request, answer, now, random)

The node is read once; from then on each answer to a patch says how its labels stand. A patch whose outcome is unknown
(no answer) makes the node be read again. In peace nothing is asked.
"""

from typing import NamedTuple

from furiosa_npu.cluster.api import Answer, ApiRequest, complaint
from furiosa_npu.cluster.node import get_node, labels_of, patch_node_labels
from furiosa_npu.cluster.retry import delay_seconds
from furiosa_npu.node_labeller.labels import LABELS, Labels, Sight, changes, wanted_labels


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
        self._current: Labels | None = None
        self._failures = 0
        self._retry_at: float | None = None
        self.complaint: str | None = None
        """why the last request failed; None: it did not"""

    def look(self, sight: Sight) -> None:
        """What is on the node was looked at once more."""
        self._sight = sight
        if self._next() is None:
            self._settle()

    def due(self, now: float) -> ApiRequest | None:
        """What to ask now; None: nothing, or not yet."""
        if self._retry_at is not None and now < self._retry_at:
            return None
        return self._next()

    def retry_at(self) -> float | None:
        """When `due` gives something again after a failure; None: there is no failure to mend."""
        return self._retry_at

    def answered(self, request: ApiRequest, answer: Answer, now: float, random: float) -> Outcome:
        """`random` (0 to 1) spreads the retries of many nodes."""
        wanted, before = self._wanted(), self._current
        said = complaint(request, answer)
        if said is None:
            try:
                labels = labels_of(answer.body)
                self._current = {name: labels.get(name) for name in LABELS}
            except ValueError as error:
                said = str(error)
        elif request.method == "PATCH" and (answer.status is None or answer.status == 404):
            self._current = None
        if said is None and request.method == "PATCH" and wanted is not None and self._current is not None:
            lost = sorted(changes(wanted, self._current))
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
        patched = request.method == "PATCH" and self._current is not None
        return Outcome(changes(self._current or {}, before or {}) if patched else {}, None, None)

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

    def _wanted(self) -> Labels | None:
        if self._sight is None or self._current is None:
            return None
        return wanted_labels(self._sight, self._current, self._silicon_hwtype)

    def _next(self) -> ApiRequest | None:
        if self._current is None:
            return get_node(self._node)
        wanted = self._wanted()
        if wanted is None:
            return None
        patch = changes(wanted, self._current)
        return patch_node_labels(self._node, patch) if patch else None
