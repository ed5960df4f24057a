"""Who holds what on a node of the DRA plane, claims and pods of the plane before."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from furiosa_npu.allocation.ledger import Holding, Ledger, Observation
from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.dra_driver.holdings import Holdings
from furiosa_npu.dra_driver.other_pods import OtherPods
from furiosa_npu.dra_driver.prepared import PreparedClaim, State
from furiosa_npu.watch.kubelet_books import PodRef
from tests.unit.test_watch_claimed_cards import claim

PLAIN, DRIVER = "furiosa.ai/npu", "npu.furiosa.ai"


class Node:
    """A kubelet's books, a state file and an API server, as tests set them."""

    def __init__(self, *claims: PreparedClaim) -> None:
        self.state: State | None = {one.named.uid: one for one in claims}
        self.listed: frozenset[Holding] | None = frozenset()
        self.recorded: Mapping[Holding, tuple[PodRef, ...]] = {}
        self.containers: Mapping[Holding, tuple[PodRef, ...]] = {}
        self.ended: frozenset[str] = frozenset()
        self.plane_is_ours = False
        self.asked = 0
        self.holdings = Holdings(
            self._read,
            "boot-1",
            cast(Any, self),
            self._ended,
            (PLAIN,),
            {"a1": ("pods train-0", "jobs other")},
            lambda: self.plane_is_ours,
            lambda: 7.0,
        )

    async def _read(self) -> State | None:
        return self.state

    async def at_start(self) -> Observation:
        """Of the kubelet's books."""
        self.asked += 1
        return Observation(7.0, self.listed, frozenset(self.recorded), recorded_is_current=False)

    async def _ended(self, uids: frozenset[str]) -> frozenset[str]:
        return uids & self.ended

    def held(self) -> set[Holding] | None:
        listed = asyncio.run(self.holdings.observe(Ledger())).listed
        return None if listed is None else set(listed)


def test_claims_of_this_boot_hold_their_devices() -> None:
    """With the pods for which they are reserved; admin access and claims of another boot hold nothing."""
    node = Node(claim("a1", "A"), claim("b2", "B", admin=True), claim("c3", "C", boot_id="boot-0"))
    holding = Holding(DRIVER, "npu-a-pe0")
    assert node.held() == {holding}
    assert node.holdings.holders(holding) == (PodRef("default", "train-0", ""),)


def test_what_pods_of_the_device_plugin_hold_is_held_until_they_end() -> None:
    """By pod-resources, or by the checkpoint until the API server says that the pod is no more."""
    node = Node()
    node.listed = frozenset({Holding(PLAIN, "A"), Holding("example.com/gpu", "X")})
    node.recorded = {Holding(PLAIN, "B"): (PodRef("", "uid:p1", "init"),)}
    assert node.held() == {Holding(PLAIN, "npu-a"), Holding(PLAIN, "npu-b")}
    assert node.holdings.other_plane == {"npu-a", "npu-b"}
    node.ended = frozenset({"p1"})
    assert node.held() == {Holding(PLAIN, "npu-a")}
    node.listed = frozenset()
    assert node.held() == set()


def test_the_kubelet_is_asked_no_more_once_nothing_is_held_and_the_plane_is_ours() -> None:
    """The device plugin hands out nothing then; before, it may."""
    node = Node()
    assert [node.held(), node.held(), node.asked] == [set(), set(), 2]
    node.plane_is_ours = True
    assert [node.held(), node.held(), node.asked] == [set(), set(), 3]


def test_what_cannot_be_read_leaves_all_as_it_was() -> None:
    """Of a kubelet that never answered nothing is known; of one that did, what it said."""
    node = Node(claim("a1", "A"))
    node.listed = None
    assert (node.held(), node.holdings.known) == (None, False)
    node.listed = frozenset({Holding(PLAIN, "B")})
    both = {Holding(DRIVER, "npu-a-pe0"), Holding(PLAIN, "npu-b")}
    assert (node.held(), node.holdings.known) == (both, True)
    node.listed = None
    assert node.held() == both
    node.state = None
    assert node.held() is None


@pytest.mark.parametrize(
    ("answer", "ended"),
    [
        (Answer(200, {"items": [{"metadata": {"uid": "p1"}}]}, None), {"p2"}),
        (Answer(200, {"items": []}, None), {"p1", "p2"}),
        (Answer(None, None, "away"), set()),
        (Answer(403, {"message": "forbidden"}, None), set()),
        (Answer(200, {"items": [{}]}, None), set()),
    ],
)
def test_a_pod_has_ended_when_the_api_server_says_so(answer: Answer, ended: set[str]) -> None:
    """An answer that does not come, or says something else, ends no pod."""
    asked: list[str] = []

    async def ask(requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        asked.extend(request.path for request in requests)
        return (answer,)

    assert asyncio.run(OtherPods(ask, "node-1").ended(frozenset({"p1", "p2"}))) == ended
    selector = "spec.nodeName%3Dnode-1%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed"
    assert asked == [f"/api/v1/pods?fieldSelector={selector}"]
