"""Who holds what on a node of the DRA plane, claims and pods of the plane before."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from furiosa_npu.allocation.ledger import Given, Holding, Ledger, Observation
from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.dra_driver.holdings import Holdings
from furiosa_npu.dra_driver.other_pods import OtherPods
from furiosa_npu.dra_driver.prepared import PreparedClaim, State
from furiosa_npu.hardware.reading import Reading
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
        self.given: Mapping[str, Given] = {}
        self.pods = frozenset({("default", "old")})
        self.ended: frozenset[str] = frozenset()
        self.plane_is_ours = False
        self.asked = 0
        self.asked_about: list[frozenset[str]] = []
        self.now = 7.0
        self.meanwhile: Callable[[], None] = lambda: None
        """happens while the API server is asked"""
        self.holdings = Holdings(
            self._read,
            "boot-1",
            cast(Any, self),
            self._ended,
            (PLAIN,),
            {"a1": ("pods train-0", "jobs other")},
            lambda: self.plane_is_ours,
            lambda: self.now,
        )

    async def _read(self) -> State | None:
        return self.state

    async def at_start(self) -> Observation:
        """Of the kubelet's books."""
        self.asked += 1
        listed, recorded, given = self.listed, frozenset(self.recorded), self.given.get
        return Observation(self.now, listed, recorded, recorded_is_current=False, given=given)

    async def _ended(self, uids: frozenset[str], living: frozenset[tuple[str, str]]) -> frozenset[str]:
        assert living == self.pods
        self.asked_about.append(uids)
        self.meanwhile()
        return uids & self.ended

    def shows(self, listed: set[Holding], recorded: Mapping[Holding, tuple[PodRef, ...]]) -> None:
        """The kubelet, from now on."""
        self.listed, self.recorded = frozenset(listed), recorded

    def held(self) -> set[Holding] | None:
        """A second later."""
        self.now += 1.0
        listed = asyncio.run(self.holdings.observe(Ledger())).listed
        return None if listed is None else set(listed)


def test_claims_of_this_boot_hold_their_devices() -> None:
    """With the pods for which they are reserved; admin access and claims of another boot hold nothing."""
    node = Node(claim("a1", "A"), claim("b2", "B", admin=True), claim("c3", "C", boot_id="boot-0"))
    holding = Holding(DRIVER, "npu-a-pe0")
    assert node.held() == {holding}
    assert node.holdings.holders(holding) == (PodRef("default", "train-0", ""),)


def test_what_pods_were_given_is_told_of_both_planes() -> None:
    """Cards may have other numbers since, or be gone: of a claim's it is known what they were."""
    node = Node(claim("a1", "A", "npu1"), claim("c3", "C", admin=True))
    node.listed = frozenset({Holding(PLAIN, "B"), Holding(PLAIN, "D")})
    both, files = frozenset({"B", "D"}), frozenset({"npu0pe0-1", "npu2pe0-1"})
    node.given = {"B": Given(files, both), "D": Given(files, both), "X": Given(frozenset({"x"}), frozenset({"X"}))}
    card = Reading("warboy", 1, management=False, uuid="A", pes=(0,))
    given = asyncio.run(node.holdings.observe(Ledger())).given
    assert [given(unit) for unit in ("npu-a-pe0", "npu-b", "npu-d", "npu-x")] == [
        Given(frozenset({"npu1pe0"}), frozenset({"A"}), card),
        Given(files, both),
        Given(files, both),
        None,
    ]


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


def test_the_api_server_is_asked_ever_less_often_about_pods_that_go_on_and_never_again_about_ended_ones() -> None:
    """The checkpoint names both as long as it is not written anew."""
    node = Node()
    node.recorded = {
        Holding(PLAIN, "A"): (PodRef("", "uid:p1", "init"),),
        Holding(PLAIN, "B"): (PodRef("", "uid:p2", "init"),),
    }
    node.ended = frozenset({"p1"})
    seen = [node.held() for _ in range(60)]
    assert seen == [{Holding(PLAIN, "npu-b")}] * 60
    assert node.asked_about == [frozenset({"p1", "p2"}), *[frozenset({"p2"})] * 9]
    node.recorded = {Holding(PLAIN, "A"): (PodRef("", "uid:p3", "init"),)}
    assert node.held() == {Holding(PLAIN, "npu-a")}
    assert node.asked_about[10:] == [frozenset({"p3"})]


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


def test_a_card_that_goes_from_an_init_container_to_the_next_while_the_api_server_is_asked_stays_held() -> None:
    """Another look, at the same time, sees it in pod-resources by then: the checkpoint is asked about it no more."""
    node = Node()
    node.plane_is_ours = True
    node.recorded = {Holding(PLAIN, "B"): (PodRef("", "uid:p1", "init"),)}
    node.meanwhile = lambda: node.shows(listed={Holding(PLAIN, "B")}, recorded={})
    assert node.held() == {Holding(PLAIN, "npu-b")}
    assert node.held() == {Holding(PLAIN, "npu-b")}


def test_what_was_seen_before_the_plane_was_ours_is_not_the_last_word() -> None:
    """The device plugin may have handed out a card after the kubelet was asked, and ended since."""
    node = Node()
    node.recorded = {Holding(PLAIN, "A"): (PodRef("", "uid:p1", "init"),)}
    node.ended = frozenset({"p1"})

    def the_plugin_hands_out_and_ends() -> None:
        node.shows(listed={Holding(PLAIN, "B")}, recorded={})
        node.plane_is_ours = True

    node.meanwhile = the_plugin_hands_out_and_ends
    node.held()
    assert node.held() == {Holding(PLAIN, "npu-b")}


def pods(*items: dict[str, Any]) -> Answer:
    """As the API server lists them."""
    return Answer(200, {"items": [{"metadata": {"namespace": "default", **item}} for item in items]}, None)


def ended(answer: Answer, *living: str) -> set[str]:
    """Of p1 and p2, while the kubelet lists these pods."""
    asked: list[str] = []

    async def ask(requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        asked.extend(request.path for request in requests)
        return (answer,)

    listed = frozenset(("default", name) for name in living)
    found = asyncio.run(OtherPods(ask, "node-1").ended(frozenset({"p1", "p2"}), listed))
    selector = "spec.nodeName%3Dnode-1%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed"
    assert asked == [f"/api/v1/pods?fieldSelector={selector}"]
    return set(found)


def test_a_static_pod_that_runs_again_before_the_plane_is_ours_has_not_ended() -> None:
    """It has the UID that it had, which is its manifest's; the device plugin may have given it a card again."""
    node = Node()
    node.recorded = {Holding(PLAIN, "B"): (PodRef("", "uid:p1", "init"),)}
    node.ended = frozenset({"p1"})
    assert node.held() == set()
    node.ended = frozenset()
    node.plane_is_ours = True
    assert [node.held(), node.held()] == [{Holding(PLAIN, "npu-b")}] * 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (pods({"name": "one", "uid": "p1"}), {"p2"}),
        (pods(), {"p1", "p2"}),
        (Answer(None, None, "away"), set()),
        (Answer(403, {"message": "forbidden"}, None), set()),
        (pods({}), set()),
        (Answer(200, {"kind": "Status"}, None), set()),
    ],
)
def test_a_pod_has_ended_when_the_api_server_says_so(answer: Answer, expected: set[str]) -> None:
    """An answer that does not come, or says something else, ends no pod."""
    assert ended(answer) == expected


def test_a_static_pod_is_known_by_its_mirror_pod() -> None:
    """The kubelet's UID of it is the hash of its manifest, which the mirror pod has beside a UID of its own."""
    mirror = {"name": "one-node-1", "uid": "m1", "annotations": {"kubernetes.io/config.mirror": "p1"}}
    assert ended(pods(mirror), "one-node-1") == {"p2"}


def test_while_a_pod_lives_that_the_api_server_does_not_have_no_pod_has_ended() -> None:
    """Any may be that one: a static pod whose mirror pod is not made yet, or was refused."""
    one = {"name": "one", "uid": "p1"}
    assert ended(pods(one), "one") == {"p2"}
    assert ended(pods(one), "one", "static-node-1") == set()
