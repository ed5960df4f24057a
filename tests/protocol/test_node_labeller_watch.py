"""The labeller's steps in this process: what it does when the kernel has no events left for it, and at its end."""

import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.cluster.api import Access
from furiosa_npu.cluster.child import Call
from furiosa_npu.node_labeller.agent import Labeller, Node
from furiosa_npu.node_labeller.board import NodesLabels
from furiosa_npu.node_labeller.device_events import Watch
from furiosa_npu.node_labeller.label_keeper import LabelKeeper
from furiosa_npu.node_labeller.labels import FAMILY_LABEL, CardType, Sight
from tests.protocol.api_server import ApiServer, api_server, kubeconfig

WARBOY = Sight(("warboy",), (), (), (CardType("npu0", "warboy", True, None),))

NOTHING = Sight((), (), (), ())


class PipeWatch:
    """A watch whose events are bytes in a pipe."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe2(os.O_NONBLOCK)

    def fileno(self) -> int:
        return self.read

    def drain(self) -> bool:
        return bool(select.select([self.read], [], [], 0)[0] and os.read(self.read, 100))

    def close(self) -> None:
        os.close(self.read)
        os.close(self.write)


class Hardware:
    """What the labeller sees, and whether it can watch."""

    def __init__(self) -> None:
        self.sight = NOTHING
        self.looks = 0
        self.no_watch: OSError | None = None
        self.events: list[int] = []
        self.restless = False

    def look(self, fresh: bool) -> Sight:
        self.looks += 1
        return self.sight

    def start(self) -> Watch:
        if self.no_watch is not None:
            raise self.no_watch
        watch = PipeWatch()
        self.events.append(watch.write)
        if self.restless:
            self.event()
        return watch

    def event(self) -> None:
        """Something comes or goes."""
        os.write(self.events[-1], b"x")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """An API server with the node n1."""
    with api_server() as server:
        server.nodes["n1"] = {}
        yield server


class Stage:
    """A labeller with made-up hardware and a clock that stands still until it is set."""

    def __init__(self, folder: Path, server: ApiServer) -> None:
        self.hardware = Hardware()
        self.time = 1000.0
        self.lines: list[str] = []
        self.closed = False
        access = Access(kubeconfig(folder, server.url))
        self.labeller = Labeller(
            Node(self.hardware.look, self.hardware.start),
            LabelKeeper(NodesLabels("n1"), None),
            lambda request: Call(access, (request,), lambda: self.time),
            Log("text", "info", self.lines.append, lambda: 0.0),
            60,
            None,
            lambda: self.time,
        )

    def step_until(self, done: Callable[[], bool]) -> None:
        """The labeller's clock stands still: each step waits for its next event."""
        for _ in range(50):
            if done():
                return
            self.labeller.step()
        raise AssertionError(f"not within 50 steps: {self.lines}")

    def close(self) -> None:
        """A second time does nothing."""
        if not self.closed:
            self.closed = True
            self.labeller.close()

    def messages(self) -> list[str]:
        return [line.partition(" ")[2].rstrip() for line in self.lines]


@pytest.fixture
def stage(tmp_path: Path, server: ApiServer) -> Iterator[Stage]:
    """Set, not started; closed at the end."""
    stage = Stage(tmp_path, server)
    yield stage
    stage.close()


def test_inotify_that_is_used_up_means_polling_and_is_said_once(stage: Stage, server: ApiServer) -> None:
    """The kernel's limit is shared by the whole node: looks every 5 s, each trying anew, until events are to be had."""
    stage.hardware.no_watch = OSError(24, "Too many open files")
    stage.step_until(lambda: len(server.seen) == 1)
    stage.step_until(lambda: stage.hardware.looks == 1)
    said = "no events for device files (inotify): looking every few seconds instead"
    assert stage.messages() == [f'warning {said} reason="Too many open files" seconds=5.0']
    stage.time += 5.0
    stage.hardware.sight = WARBOY
    stage.step_until(lambda: server.nodes["n1"] == {FAMILY_LABEL: "warboy"})
    stage.step_until(lambda: len(stage.lines) == 2)
    stage.hardware.no_watch, stage.hardware.restless = None, True
    stage.time += 5.0
    stage.step_until(lambda: stage.hardware.looks == 3)
    assert stage.messages()[1:] == [
        f"info label written label={FAMILY_LABEL} value=warboy",
        "info events for device files are there",
    ]


def test_an_event_brings_one_look_after_it_has_been_quiet(stage: Stage, server: ApiServer) -> None:
    """The clock, not the number of events, decides."""
    stage.step_until(lambda: len(server.seen) == 1 and stage.hardware.looks == 1)
    for _ in range(3):
        stage.hardware.event()
        stage.labeller.step()
    assert stage.hardware.looks == 1
    stage.time += 0.2
    stage.hardware.event()
    stage.labeller.step()
    assert stage.hardware.looks == 2


def test_the_last_card_takes_the_label_away_after_a_second_look(stage: Stage, server: ApiServer) -> None:
    """Five seconds after the first look that found nothing, without any event: one look more, one patch, no re-scan."""
    stage.hardware.sight = WARBOY
    stage.step_until(lambda: len(stage.lines) == 1)
    stage.hardware.sight = NOTHING
    stage.hardware.event()
    stage.labeller.step()
    stage.time += 0.2
    stage.hardware.restless = True
    stage.labeller.step()
    assert (stage.hardware.looks, len(server.seen)) == (2, 2)
    stage.hardware.restless = False
    stage.time += 5.0
    stage.step_until(lambda: not server.nodes["n1"])
    assert (stage.hardware.looks, server.seen[2].body) == (3, {"metadata": {"labels": {FAMILY_LABEL: None}}})


def test_its_end_writes_nothing(stage: Stage, server: ApiServer) -> None:
    """The labels stay: a stop is no news about the hardware."""
    stage.hardware.sight = WARBOY
    stage.step_until(lambda: bool(server.nodes["n1"]))
    stage.step_until(lambda: len(stage.lines) == 1)
    count = len(server.seen)
    stage.hardware.sight = NOTHING
    stage.close()
    assert (len(server.seen), server.nodes["n1"]) == (count, {FAMILY_LABEL: "warboy"})
