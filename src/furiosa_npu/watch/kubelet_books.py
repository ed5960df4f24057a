"""Learns from the kubelet who holds which card: pod-resources, and the checkpoint for what that does not show."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from furiosa_npu.allocation.ledger import Given, GivenOf, Holding, Ledger, Observation, nothing_given
from furiosa_npu.kubelet.checkpoint import FILE_NAME, CheckpointEntry, CheckpointError, parse_checkpoint
from furiosa_npu.kubelet.client import KubeletError, list_pod_resources
from furiosa_npu.kubelet.podresources_v1 import ListPodResourcesResponse
from furiosa_npu.watch.conditions import Conditions

LIST_TIMEOUT_SECONDS = 2.0
CHECKPOINT_WAIT_SECONDS = 1.0
"""How long the kubelet may take from a list that it was sent to its checkpoint on disk; milliseconds are usual."""
CHECKPOINT_LOOK_SECONDS = 0.02
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
"""The checkpoint is asked for ever more rarely while it shows what it showed: an init container's card is recorded
there alone for as long as its pod lives, and each asking has the kubelet write a file."""
_MAXIMUM_BYTES = 16 * 1024 * 1024


class PodRef(NamedTuple):
    """A container of a pod."""

    namespace: str
    """empty where the checkpoint alone knows the container: then `pod` is `uid:` and the pod's UID"""
    pod: str
    container: str


class KubeletBooks:
    """The kubelet's books, read from its socket and its file."""

    def __init__(
        self,
        pod_resources_socket: str,
        device_plugins_dir: str,
        send_lists_again: Callable[[], bool],
        clock: Callable[[], float],
        conditions: Conditions,
        list_pods: Callable[[str, float], Awaitable[ListPodResourcesResponse]] = list_pod_resources,
    ) -> None:
        self._list_pods = list_pods
        self._socket = pod_resources_socket
        self._checkpoint = f"{device_plugins_dir}/{FILE_NAME}"
        self._send_lists_again = send_lists_again
        self._clock = clock
        self._conditions = conditions
        self.pods: frozenset[tuple[str, str]] = frozenset()
        """namespace and name of each that pod-resources listed, whatever it holds"""
        self._confirmed: tuple[object, ...] = ()
        """what was handed out and shown when the checkpoint last had all that pod-resources did not list"""
        self._pause = 0.0
        self._ask_again_at = 0.0
        self.answered = False
        """pod-resources has answered once"""
        self.containers: Mapping[Holding, tuple[PodRef, ...]] = {}
        """who held what at the last answer; init containers are not among them"""
        self.recorded: Mapping[Holding, tuple[PodRef, ...]] = {}
        """the same of the checkpoint, when it was last read, of what pod-resources did not list"""

    async def at_start(self) -> Observation:
        """All that the kubelet shows, before any list was sent: what is held, and perhaps what was."""
        started_at = self._clock()
        listed = await self._list()
        recorded, given = self._recorded()
        return Observation(started_at, listed, recorded, recorded_is_current=False, given=given)

    async def observe(self, ledger: Ledger) -> Observation:
        """What the kubelet shows now.

        The checkpoint is asked only for what is handed out and not listed; where it had all of that, again after a
        pause, or at once when a pod, what it holds, or what was handed out is another than then.
        """
        started_at = self._clock()
        listed = await self._list()
        if listed is None or not ledger.not_listed(listed):
            return Observation(started_at, listed, recorded=None, recorded_is_current=False)
        asked_for = frozenset(
            (holding, entry.allocated_at) for holding, entry in ledger.entries if holding not in listed
        )
        shown = (asked_for, listed, self.pods)
        is_known = shown == self._confirmed
        if is_known and started_at < self._ask_again_at:
            return Observation(started_at, listed, recorded=None, recorded_is_current=False)
        current = await self._written_anew()
        recorded, given = self._recorded() if current else (None, nothing_given)
        if recorded is not None and recorded.issuperset(ledger.not_listed(listed)):
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS) if is_known else FIRST_PAUSE_SECONDS
            self._confirmed, self._ask_again_at = shown, started_at + self._pause
        else:
            self._confirmed = ()
        return Observation(started_at, listed, recorded, current, given)

    async def _list(self) -> frozenset[Holding] | None:
        try:
            response = await self._list_pods(self._socket, LIST_TIMEOUT_SECONDS)
        except KubeletError as error:
            self._conditions.trouble("pod-resources", str(error))
            return None
        self._conditions.well("pod-resources")
        self.answered = True
        containers: dict[Holding, tuple[PodRef, ...]] = {}
        for pod in response.pod_resources:
            for container in pod.containers:
                for devices in container.devices:
                    for unit in devices.device_ids:
                        holding = Holding(devices.resource_name, unit)
                        found = PodRef(pod.namespace, pod.name, container.name)
                        containers[holding] = (*containers.get(holding, ()), found)
        self.containers = containers
        self.pods = frozenset((pod.namespace, pod.name) for pod in response.pod_resources)
        return frozenset(containers)

    def holders(self, holding: Holding) -> tuple[PodRef, ...]:
        """The containers that hold it, as far as either has told."""
        return self.containers.get(holding) or self.recorded.get(holding, ())

    async def _written_anew(self) -> bool:
        """The list was sent again and the kubelet has written its checkpoint since."""
        before = _identity(self._checkpoint)
        if not self._send_lists_again():
            return False
        deadline = self._clock() + CHECKPOINT_WAIT_SECONDS
        while _identity(self._checkpoint) == before:
            if self._clock() >= deadline:
                return False
            await asyncio.sleep(CHECKPOINT_LOOK_SECONDS)
        return True

    def _recorded(self) -> tuple[frozenset[Holding] | None, GivenOf]:
        """By the checkpoint; None: it cannot be read."""
        try:
            with open(self._checkpoint, encoding="utf-8") as file:
                entries = parse_checkpoint(file.read(_MAXIMUM_BYTES))
        except FileNotFoundError:
            entries = ()  # a kubelet that never handed out a device has none
        except (OSError, UnicodeDecodeError, CheckpointError) as error:
            self._conditions.trouble("checkpoint", f"{self._checkpoint}: {error}")
            return None, nothing_given
        self._conditions.well("checkpoint")
        recorded: dict[Holding, tuple[PodRef, ...]] = {}
        for entry in entries:
            for unit in entry.device_ids:
                holding = Holding(entry.resource_name, unit)
                recorded[holding] = (*recorded.get(holding, ()), PodRef("", f"uid:{entry.pod_uid}", entry.container))
        self.recorded = {holding: found for holding, found in recorded.items() if holding not in self.containers}
        return frozenset(recorded), partial(_given, entries)


def _given(entries: Sequence[CheckpointEntry], unit: str) -> Given | None:
    """By those entries with the unit whose answers name device files."""
    own = [(entry, paths) for entry in entries if unit in entry.device_ids and (paths := entry.container_paths)]
    if not own:
        return None
    files = (path.removeprefix("/dev/") for _, paths in own for path in paths)
    return Given(frozenset(files), frozenset(unit for entry, _ in own for unit in entry.device_ids))


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
