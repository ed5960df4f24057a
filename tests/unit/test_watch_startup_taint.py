"""When the taint goes that a node was born with: against an API server that others write to, and that fails."""

import asyncio
import json
from collections.abc import Callable, Sequence

from furiosa_npu.agent.log import Log
from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.startup_taint import PART, StartupTaint, remove_once_offered

KEY, NPU = "npu.furiosa.ai/not-ready", "furiosa.ai/npu"
OURS = {"key": KEY, "effect": "NoSchedule"}
OTHER = {"key": "example.com/busy", "effect": "NoSchedule"}
FORBIDDEN = Answer(403, {"message": "no"}, None)


class Node:
    """A node at an API server that checks JSON patches, and what happens while the agent sleeps."""

    def __init__(self, *taints: dict[str, str], allocatable: str = "2") -> None:
        self.taints: list[dict[str, str]] | None = [*taints] or None
        self.allocatable = {NPU: allocatable}
        self.asked: list[str] = []
        self.slept: list[float] = []
        self.refusals: list[Answer] = []
        """answers to the next patches in place of the truth"""
        self.meanwhile: list[Callable[[], None]] = []
        """what happens at each sleep"""
        self.before_patch: list[Callable[[], None]] = []
        """what others do between our reading and our patch"""

    async def ask(self, requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        self.asked += [request.method for request in requests]
        return tuple(map(self._answer, requests))

    def _answer(self, request: ApiRequest) -> Answer:
        if request.method == "GET":
            told = {"taints": self.taints, "allocatable": self.allocatable}
            return Answer(200, json.loads(json.dumps(told[request.only[1]])), None)
        if self.refusals:
            return self.refusals.pop(0)
        if self.before_patch:
            self.before_patch.pop(0)()
        now = [*(self.taints or [])]
        for operation in json.loads(request.body or ""):
            place = int(operation["path"].rpartition("/")[2])
            if place >= len(now) or (operation["op"] == "test" and now[place] != operation["value"]):
                return Answer(422, {"message": "testing value failed"}, None)
            if operation["op"] == "remove":
                del now[place]
        self.taints = now
        return Answer(200, {"metadata": {}}, None)

    async def sleep(self, seconds: float) -> None:
        assert len(self.slept) < 100
        self.slept.append(seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()


def _run(
    node: Node, is_offering: Callable[[], bool] = lambda: True, resources: Sequence[str] = (NPU,)
) -> tuple[Conditions, list[str]]:
    lines: list[str] = []
    log = Log(write=lines.append, clock=lambda: 0.0)
    conditions = Conditions(log)
    taint = StartupTaint(KEY, "n1", resources)
    asyncio.run(remove_once_offered(taint, is_offering, node.ask, conditions, log, node.sleep, lambda: 1.0))
    return conditions, [line.partition(" ")[2].strip() for line in lines]


REMOVED = f"info startup taint removed: the NPUs are offered taint={KEY}"


def test_the_taint_goes_and_another_stays() -> None:
    """One look, one patch, and it is said."""
    node = Node(OTHER, OURS)
    conditions, lines = _run(node)
    assert (node.taints, node.asked, lines, conditions.troubles()) == ([OTHER], ["GET", "GET", "PATCH"], [REMOVED], ())


def test_a_node_without_the_taint_is_read_once_and_left_alone() -> None:
    """Each restart of the agent costs one look."""
    node = Node(OTHER)
    assert _run(node)[1] == []
    assert (node.taints, node.asked, node.slept) == ([OTHER], ["GET", "GET"], [])


def test_nothing_is_asked_before_the_agent_offers() -> None:
    """No NPU, or none that is good: the node stays as it was born."""
    node = Node(OURS)
    offers = iter([False, False, True])
    _run(node, lambda: next(offers))
    assert (node.taints, node.slept) == ([], [1.0, 1.0])


def test_the_kubelet_has_to_have_told_of_them() -> None:
    """A list that was sent is none that the scheduler knows: the node's allocatable is."""
    node = Node(OURS, allocatable="0")
    node.meanwhile = [lambda: None, lambda: node.allocatable.update({NPU: "1"})]
    _, lines = _run(node)
    waits = f'info startup taint stays taint={KEY} reason="the node\'s allocatable shows no {NPU} yet"'
    assert (node.taints, lines, node.slept) == ([], [waits, REMOVED], [1.0, 2.0])


def test_on_the_dra_plane_the_nodes_status_is_not_waited_for() -> None:
    """The scheduler reads the slices."""
    node = Node(OURS, allocatable="0")
    _run(node, resources=())
    assert node.taints == []


def test_a_taint_that_comes_between_is_not_lost() -> None:
    """The list changed under our hands: the API server refuses, and it is read again."""
    node = Node(OURS)
    node.before_patch = [lambda: node.taints.insert(0, OTHER) if node.taints is not None else None]
    conditions, _ = _run(node)
    assert (node.taints, node.asked, conditions.troubles()) == ([OTHER], ["GET", "GET", "PATCH"] * 2, ())


def test_a_taint_that_another_removed_meanwhile_is_done() -> None:
    """An administrator was faster."""
    node = Node(OURS)
    node.before_patch = [lambda: node.taints.clear() if node.taints is not None else None]
    assert _run(node)[1] == []
    assert node.taints == []


def test_a_missing_right_is_named_and_tried_again() -> None:
    """In the conditions, which readiness shows, until it is there; ever more rarely."""
    node = Node(OURS)
    node.refusals = [FORBIDDEN] * 6
    conditions, lines = _run(node)
    assert "the right to patch nodes is missing" in lines[0]
    assert lines[1:] == [REMOVED, f'info well again part="{PART}"']
    assert (node.slept, conditions.troubles()) == ([1.0, 2.0, 4.0, 8.0, 10.0, 10.0], ())


def test_an_api_server_that_is_away_is_waited_for() -> None:
    """No answer is no outcome: the node is read again."""
    node = Node(OURS)
    node.refusals = [Answer(None, None, "away")]
    _run(node)
    assert (node.taints, node.asked) == ([], ["GET", "GET", "PATCH"] * 2)
