"""The promise that no good idle card is refused, judged by what the API server says of pods that failed."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from tests.cluster.chaos.history import Pods
from tests.cluster.chaos.tally import Violation

_REFUSED = re.compile(r"/npu: \S+ \(([^()\s]+)\) (?:is|has) (?!in use under the name)")
"""What the plugin says of a card that it refuses. In use under the other name is the ledger's, told by no record."""


class _Refused(NamedTuple):
    """A card that a pod was refused."""

    at: float
    """when that was seen"""
    after: float
    """when its pod was seen last without a node: it was refused since then"""
    card: str
    pod: str
    reason: str


class Refusals:
    """Of one node while its history is gone through: a card has to be good, idle and offered all the time in which it
    was refused, to the next sample after it was seen.
    """

    def __init__(self) -> None:
        self.checks = 0
        self._due_since: dict[str, float] = {}
        """card to since when it has to be offered, without a break"""
        self._bound_after: dict[str, float] = {}
        """pod to when it was not yet seen on the node"""
        self._looked_at = float("-inf")
        self._judged: set[str] = set()
        self._suspected: list[_Refused] = []

    def look(self, pods: Pods, node: str) -> None:
        """Takes in which of the node's pods were refused a card."""
        for pod in pods.pods:
            if pod.node != node:
                continue
            after = self._bound_after.setdefault(pod.uid, self._looked_at)
            if pod.phase == "Failed" and pod.uid not in self._judged:
                self._judged.add(pod.uid)
                cards = _REFUSED.findall(pod.reason)
                self.checks += len(cards)
                self._suspected += [_Refused(pods.at, after, card, pod.name, pod.reason) for card in cards]
        self._looked_at = pods.at

    def go_on(self, at: float, node: str, due: Mapping[str, float]) -> list[Violation]:
        """`due`: the cards that have to be offered in this sample, each to since when it waited."""
        self._due_since = {card: self._due_since.get(card, at) for card in due}
        violations = [
            Violation(
                refused.at,
                node,
                refused.card,
                f"idle and good for {refused.after - due[refused.card]:.1f} s or more when {refused.pod} was refused "
                f"it: {refused.reason}",
            )
            for refused in self._suspected
            if self._due_since.get(refused.card, at) <= refused.after
        ]
        self._suspected.clear()
        return violations
