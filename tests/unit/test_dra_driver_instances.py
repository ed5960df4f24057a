"""A second instance of the driver that stays is told: in the log, and once in an event."""

from typing import Any, cast

from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.instances import TOLERATED_SECONDS, Instances
from furiosa_npu.watch.conditions import Conditions


class Node:
    """As the older instance sees it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.other: str | None = None
        self.lines: list[str] = []
        self.events: list[str] = []
        conditions = Conditions(Log("text", "info", self.lines.append))
        self.instances = Instances(cast(Any, self), lambda: self.now, conditions, self.events.append)

    def newer(self) -> str | None:
        """Of the order of instances."""
        return self.other

    def looks(self, seconds: float) -> None:
        """One a second."""
        for _ in range(int(seconds)):
            self.now += 1
            self.instances.look()


def test_one_that_has_the_same_name_is_an_event() -> None:
    """They would take each other's sockets without a word."""
    node = Node()
    node.instances.namesake("/plugins/1-driver.instance")
    (reason,) = node.events
    assert reason.startswith("/plugins/1-driver.instance: another process of npu.furiosa.ai with this --instance lives")
    assert reason in node.lines[-1]


def test_a_newer_instance_that_stays_is_an_event_once() -> None:
    """Again when it went and another one stays; one of a rolling update is none."""
    node = Node()
    node.other = "/plugins/2-b.instance"
    node.looks(TOLERATED_SECONDS - 1)
    node.other = None
    node.looks(1)
    assert (node.lines, node.events) == ([], [])
    for times in (1, 2):
        node.other = f"/plugins/{times + 1}-b.instance"
        node.looks(3 * TOLERATED_SECONDS)
        assert (len(node.events), node.events[-1].partition(": another instance of npu.furiosa.ai came ")[0]) == (
            times,
            node.other,
        )
        assert node.events[-1] in node.lines[-1]
        node.other = None
        node.looks(1)
