"""Waits for what the API server shall say, for pods above all, and not for pods on nodes that are cut off."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from furiosa_npu.chart_hooks.lists import Unanswered, listed
from furiosa_npu.chart_hooks.traces import NODES
from furiosa_npu.cluster.blocking import Ask

T = TypeVar("T")

LOOK_SECONDS = 0.5
LOOK_AT_NODES_SECONDS = 3.0
"""a list of all nodes is long"""


class Pod(NamedTuple):
    """A pod that is waited for."""

    name: str
    node: str
    """empty: it has none yet"""

    def __str__(self) -> str:
        return f"{self.name} on {self.node or 'no node yet'}"


class Left(NamedTuple):
    """Pods that were waited for in vain."""

    stuck: tuple[Pod, ...]
    cut_off: tuple[Pod, ...]
    """their nodes are not Ready: no kubelet there ends or starts them"""


class Patience:
    """Looks again and again until a deadline."""

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._until = clock() + seconds

    def outwait(self, ask: Ask, look: Callable[[], list[Pod]]) -> Left:
        """Those that `look` still finds at the deadline, or sooner, where all are on nodes that are not Ready.

        What is not answered is asked again until the deadline. Raises Unanswered.
        """
        while pods := self._look_until(look, self._clock() + LOOK_AT_NODES_SECONDS):
            ready = self._answered(lambda: _ready_nodes(ask))
            cut_off = tuple(pod for pod in pods if pod.node and pod.node not in ready)
            stuck = tuple(pod for pod in pods if pod not in cut_off)
            if not stuck or self._clock() >= self._until:
                return Left(stuck, cut_off)
        return Left((), ())

    def outlast(self, look: Callable[[], list[T]]) -> list[T]:
        """What `look` still finds at the deadline; nothing as soon as it finds nothing. Raises Unanswered."""
        return self._look_until(look, self._until)

    def _look_until(self, look: Callable[[], list[T]], until: float) -> list[T]:
        """What `look` finds then, or at the deadline; nothing as soon as it finds nothing."""
        while (pods := self._answered(look)) and self._clock() < min(until, self._until):
            self._sleep(LOOK_SECONDS)
        return pods

    def _answered(self, look: Callable[[], T]) -> T:
        while True:
            try:
                return look()
            except Unanswered:
                if self._clock() >= self._until:
                    raise
            self._sleep(LOOK_SECONDS)


def pod_of(found: dict[str, Any]) -> Pod:
    """From the object that the API server shows."""
    return Pod(found["metadata"]["name"], found["spec"].get("nodeName", ""))


def is_so(found: dict[str, Any], condition: str) -> bool:
    """Whether the condition of a pod or node is True."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == condition and one.get("status") == "True" for one in conditions)


def _ready_nodes(ask: Ask) -> frozenset[str]:
    return frozenset(node["metadata"]["name"] for node in listed(ask, NODES) if is_so(node, "Ready"))
