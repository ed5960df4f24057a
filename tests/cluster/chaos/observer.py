"""Looks at nodes from outside, four times a second, and writes down what is so."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from furiosa_npu.simulator import Simulation
from furiosa_npu.simulator.state import State
from tests.cluster.chaos.api import ApiAway
from tests.cluster.chaos.history import Event, Holder, Pods, Sample, to_line
from tests.cluster.chaos.processes import (
    Container,
    allowed_devices,
    containers,
    find_agent,
    is_stopped,
    members,
    started_at,
)
from tests.cluster.chaos.records import Checkpoint, cards_opened, condition, parse_checkpoint, pod_seen
from tests.cluster.chaos.site import KUBELET_FOLDER, ChaosCluster
from tests.cluster.simulation import FOLDER

SAMPLE_SECONDS = 0.25
PODS_SECONDS = 1.0
_PLUGINS = f"{KUBELET_FOLDER}/device-plugins"


class Record:
    """The history so far, in memory and in a file, a line an event."""

    def __init__(self, file: Path) -> None:
        self.events: list[Event] = []
        self.pods = Pods(0.0, ())
        self._file = file.open("w", buffering=1)
        self._lock = threading.Lock()

    def add(self, event: Event) -> None:
        with self._lock:
            self.events.append(event)
            self._file.write(to_line(event) + "\n")
            if isinstance(event, Pods):
                self.pods = event

    def close(self) -> None:
        self._file.close()


class Observer:
    """Threads that look until `close`. What goes wrong in one of them is raised by `close`."""

    def __init__(self, chaos: ChaosCluster, record: Record, looks: Sequence[Callable[[], Event | None]]) -> None:
        """`looks`: taken in turn each quarter of a second, each by a thread of its own."""
        self._chaos = chaos
        self._record = record
        self._ended = threading.Event()
        self._failures: list[BaseException] = []
        turns = [*((SAMPLE_SECONDS, look) for look in looks), (PODS_SECONDS, self._pods)]
        self._threads = [threading.Thread(target=self._go_on, args=turn) for turn in turns]
        for thread in self._threads:
            thread.start()

    def _go_on(self, pause_seconds: float, look: Callable[[], Event | None]) -> None:
        try:
            while not self._ended.is_set():
                event = look()
                if event is not None:
                    self._record.add(event)
                self._ended.wait(pause_seconds)
        except BaseException as failure:  # noqa: BLE001 - it is raised again by close
            self._failures.append(failure)

    def check(self) -> None:
        """Raises what ended one of the threads."""
        if self._failures:
            raise self._failures[0]

    def close(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self.check()

    def _pods(self) -> Pods | None:
        try:
            items = self._chaos.api.request("GET", "/api/v1/namespaces/default/pods")["items"]
        except ApiAway:
            return None
        return Pods(time.time(), tuple(map(pod_seen, items)))


def looks(chaos: ChaosCluster) -> list[Callable[[], Event | None]]:
    """At each node, with the device plugin."""
    return [NodeLook(chaos, name).sample for name in chaos.nodes]


class NodeLook:
    """Looks at one node."""

    def __init__(self, chaos: ChaosCluster, name: str) -> None:
        self.node = chaos.nodes[name]
        self._group = chaos.group(name)
        self._program = chaos.program
        self.simulation = Simulation.open(str(self.node.path(FOLDER)))
        self._checkpoint = Checkpoint(None, {}, ())
        self._agent: tuple[int, float] | None = None
        self._logs = chaos.cluster.run.logs / f"{name}-agents"
        self._devices: dict[str, tuple[float, set[tuple[int, int]]]] = {}
        """of containers: start and what they may open, neither of which changes"""

    def sample(self) -> Sample:
        """The kubelet's side first, the simulator's record last: the record knows of a fault before the kubelet can."""
        at = time.time()
        checkpoint = self.read_checkpoint()
        kubelet, agent = self._kubelet_since(), self._agent_since()
        state = self.simulation.state()
        holders = self._holders(state)
        if _twice(holders):  # one may have ended, and the next begun, while this went through them
            holders = tuple(one for one in self._holders(state) if one in holders)
        cards = {card.card.uuid: condition(card, state) for card in self.simulation.state().cards}
        return Sample(
            at,
            self.node.name,
            kubelet,
            agent,
            checkpoint.written_at,
            checkpoint.offered,
            checkpoint.booked,
            holders,
            cards,
            read_at=time.time(),
        )

    def _kubelet_since(self) -> float | None:
        kubelet = self.node.kubelet
        if not kubelet.alive() or is_stopped(kubelet.pid):
            return None
        began = started_at(kubelet.pid)
        try:
            socket_at = self.node.path(f"{_PLUGINS}/kubelet.sock").stat().st_ctime
        except FileNotFoundError:
            return None
        return socket_at if began is not None and socket_at > began else None

    def _agent_since(self) -> float | None:
        if self._agent is not None and started_at(self._agent[0]) is not None:
            return self._agent[1]
        pid = find_agent(self._group, self._program)
        since = started_at(pid) if pid is not None else None
        self._agent = (pid, since) if pid is not None and since is not None else None
        if self._agent is not None:
            self.keep_logs()
        return since

    def keep_logs(self) -> None:
        """Links to what the agents' containers wrote: the kubelet throws away all but the last two of each."""
        self._logs.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # of a pod that went meanwhile
            for log in self.node.host.folder.glob("log/pods/kube-system_*/*/*.log"):
                kept = self._logs / f"{log.parent.parent.name.split('_')[1]}-{log.stem}.log"
                with contextlib.suppress(FileExistsError):
                    kept.hardlink_to(log)

    def read_checkpoint(self) -> Checkpoint:
        """What is offered and what is booked, by the kubelet."""
        file = self.node.path(f"{_PLUGINS}/kubelet_internal_checkpoint")
        try:
            with file.open() as opened:
                written_at = modified_at(opened.fileno())
                if written_at != self._checkpoint.written_at:
                    self._checkpoint = parse_checkpoint(written_at, opened.read())
        except FileNotFoundError:
            self._checkpoint = Checkpoint(None, {}, ())
        return self._checkpoint

    def _holders(self, state: State) -> tuple[Holder, ...]:
        found = []
        for container in containers(self._group):
            processes = members(container.group)
            if not processes:
                continue
            started, devices = self._known(container, processes)
            held = self.held(devices, state)
            if held:
                found.append(Holder(container.pod, container.id, started, held))
        return tuple(sorted(found))

    def held(self, devices: Iterable[tuple[int, int]], state: State) -> tuple[str, ...]:
        """The cards of which some of the devices are."""
        return cards_opened(devices, state)

    def _known(self, container: Container, processes: list[int]) -> tuple[float, set[tuple[int, int]]]:
        """A container's devices are those it has at its start; runc writes them before the first process goes on."""
        known = self._devices.get(container.id)
        if known is None or not known[1]:
            starts = [since for pid in processes if (since := started_at(pid)) is not None]
            known = (min(starts, default=time.time()), allowed_devices(container))
            self._devices[container.id] = known
        return known


def _twice(holders: tuple[Holder, ...]) -> bool:
    pairs = {(holder.pod, card) for holder in holders for card in holder.cards}
    return len({card for _, card in pairs}) < len(pairs)


def modified_at(descriptor: int) -> float:
    return os.fstat(descriptor).st_mtime
