"""The kubelet's books: its checkpoint is asked for no more often than something may have changed in it."""

import asyncio
import base64
import json
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.allocation.ledger import Given, Holding, Ledger, Observation, hand_out, settle
from furiosa_npu.kubelet.checkpoint import FILE_NAME
from furiosa_npu.kubelet.client import KubeletError
from furiosa_npu.kubelet.deviceplugin_v1beta1 import SCHEMA, ContainerAllocateResponse, DeviceSpec
from furiosa_npu.kubelet.podresources_v1 import (
    ContainerDevices,
    ContainerResources,
    ListPodResourcesResponse,
    PodResources,
)
from furiosa_npu.kubelet.wire import encode
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.kubelet_books import LONGEST_PAUSE_SECONDS, KubeletBooks, PodRef
from tests.jumping_loop import run

RESOURCE = "furiosa.ai/npu"


class Kubelet:
    """A kubelet that holds cards for init containers, as its pod-resources and checkpoint show them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self.now = 1000.0
        self.pods = ["one"]
        self.listed: tuple[str, ...] = ()
        self.init: tuple[str, ...] = ("X",)
        self.writes = 0
        self.silent = False
        self.ledger = hand_out(Ledger(), RESOURCE, self.init, self.now - 100)
        self.books = KubeletBooks(
            "socket", str(folder), self._write, lambda: self.now, Conditions(Log(write=_nowhere)), self._list
        )

    def cycles(self, count: int = 1) -> int:
        """So many cycles of a second; how often the kubelet was made to write its checkpoint in them."""
        before = self.writes
        for _ in range(count):
            self.now += 1
            run(self._observe())
        return self.writes - before

    async def _observe(self) -> None:
        self.seen: Observation = await self.books.observe(self.ledger)
        self.ledger = settle(self.ledger, self.seen, frozenset([RESOURCE]))

    async def _list(self, _socket: str, _timeout_seconds: float) -> ListPodResourcesResponse:
        """In another order each time, as Go's maps have it."""
        if self.silent:
            raise KubeletError("no answer")
        self.pods.reverse()
        devices = (ContainerDevices(RESOURCE, self.listed),)
        return ListPodResourcesResponse(
            tuple(PodResources(name, "default", (ContainerResources("app", devices),)) for name in self.pods)
        )

    def _write(self) -> bool:
        self.writes += 1
        entry = {"PodUID": "u", "ContainerName": "init", "ResourceName": RESOURCE, "DeviceIDs": {"-1": [*self.init]}}
        self._path.with_suffix(".new").write_text(json.dumps({"Data": {"PodDeviceEntries": [entry]}}))
        self._path.with_suffix(".new").rename(self._path)
        return True


def _nowhere(_line: str) -> None:
    """For a log that nobody reads."""


@pytest.fixture
def kubelet(tmp_path: Path) -> Kubelet:
    """An init container's card was handed out and is in the checkpoint."""
    return Kubelet(tmp_path)


def test_what_only_the_checkpoint_shows_is_asked_for_ever_more_rarely(kubelet: Kubelet) -> None:
    """Each asking has every list sent again and the kubelet write a file: a pod may live for months."""
    assert [kubelet.cycles() for _ in range(16)] == [1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert kubelet.cycles(1000) == 1000 / LONGEST_PAUSE_SECONDS
    assert kubelet.ledger.holders("X") == (RESOURCE,)


def test_it_is_asked_for_at_once_when_a_pod_comes_or_goes(kubelet: Kubelet) -> None:
    """The pod that held it is one of those: its card is free within two seconds. Their order is no change."""
    kubelet.cycles(50)
    kubelet.pods.append("two")
    assert kubelet.cycles() == 1
    assert kubelet.cycles(3) == 2
    kubelet.cycles(50)
    kubelet.pods.remove("one")
    kubelet.init = ()
    assert kubelet.cycles() == 1
    assert kubelet.ledger.entries == ()


def test_it_is_asked_for_at_once_when_another_card_is_handed_out(kubelet: Kubelet) -> None:
    """Or the same one anew: then the entry waits to be shown once more."""
    kubelet.cycles(50)
    kubelet.ledger = hand_out(kubelet.ledger, RESOURCE, ("X",), kubelet.now)
    assert kubelet.cycles() == 1
    kubelet.cycles(50)
    kubelet.ledger = hand_out(kubelet.ledger, RESOURCE, ("Y",), kubelet.now)
    kubelet.init = ("X", "Y")
    assert kubelet.cycles() == 1


def test_what_is_not_in_the_checkpoint_yet_is_asked_for_in_each_cycle(kubelet: Kubelet) -> None:
    """The kubelet has not written the allocation yet, or never will: the ten seconds of an entry never shown run."""
    kubelet.init = ()
    kubelet.ledger = hand_out(Ledger(), RESOURCE, ("X",), kubelet.now)
    assert kubelet.cycles(9) == 9
    assert kubelet.ledger.holders("X") == (RESOURCE,)
    kubelet.cycles()
    assert kubelet.ledger.entries == ()


def test_a_kubelet_that_does_not_answer_is_not_made_to_write(kubelet: Kubelet) -> None:
    """Nothing is known then, and nothing ends."""
    kubelet.silent = True
    assert kubelet.cycles(20) == 0
    assert kubelet.ledger.entries[0][0] == Holding(RESOURCE, "X")


def test_an_init_container_is_known_by_its_pods_uid(kubelet: Kubelet) -> None:
    """As the checkpoint has it; the name stands there only when pod-resources tells it."""
    holding = Holding(RESOURCE, "X")
    assert kubelet.books.holders(holding) == ()
    kubelet.cycles(20)
    assert kubelet.books.holders(holding) == (PodRef("", "uid:u", "init"),)
    assert kubelet.books.containers == {}
    kubelet.listed = ("X",)
    kubelet.cycles()
    assert kubelet.books.holders(holding) == (PodRef("default", "one", "app"),)


def test_at_the_start_it_is_told_which_device_files_pods_were_given(kubelet: Kubelet, tmp_path: Path) -> None:
    """Two cards of one container are in one answer; an init container and the next one may have the same card."""

    def entry(container: str, *cards: str, files: tuple[str, ...]) -> dict[str, object]:
        answer = ContainerAllocateResponse({}, devices=tuple(DeviceSpec(f"/dev/{file}") for file in files))
        kept = base64.b64encode(encode(answer, SCHEMA)).decode()
        identity = {"PodUID": "u", "ContainerName": container, "ResourceName": RESOURCE}
        return {**identity, "DeviceIDs": {"-1": list(cards)}, "AllocResp": kept}

    entries = [entry("init", "X", files=("npu0",)), entry("app", "X", "Y", files=("npu0", "npu1"))]
    entries.append(entry("other", "Z", files=()))
    (tmp_path / FILE_NAME).write_text(json.dumps({"Data": {"PodDeviceEntries": entries}}))
    files, both = frozenset({"npu0", "npu1"}), frozenset({"X", "Y"})
    given = asyncio.run(kubelet.books.at_start()).given
    assert [given(card) for card in "XYZ"] == [Given(files, both), Given(files, both), None]
