"""What is looked at on the DRA plane beside the rest: the nodes' ResourceSlices, and the CDI files of claims."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from furiosa_npu.simulator.state import State
from tests.cluster.chaos.api import Api, ApiAway
from tests.cluster.chaos.dra_records import NOTHING, Offered, offered, pes_given, pes_opened
from tests.cluster.chaos.history import Event, Sample
from tests.cluster.chaos.observer import NodeLook, modified_at
from tests.cluster.chaos.records import Checkpoint
from tests.cluster.chaos.site import ChaosCluster
from tests.cluster.dra import DRIVER

SLICES = f"/apis/resource.k8s.io/v1/resourceslices?fieldSelector=spec.driver%3D{DRIVER}"
NEW_SECONDS = 0.75
"""What the API server said longer ago is not what it says now."""
CHANGE_SECONDS = 2.0
"""A change is written slice by slice; for so long what was there before counts. Nothing does afterwards."""
_CDI = "/run/cdi"  # the same, past a link that would be followed on this machine


class SlicesLook:
    """What the API server last said of the nodes' slices. Looked at by another thread than the nodes: while the server
    does not answer, those go on.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._seen: tuple[float, list[dict[str, Any]]] = (float("-inf"), [])
        self._whole: dict[str, tuple[float, Offered]] = {}
        """of each node's pool, when it was last seen there whole"""

    def look(self) -> None:
        at = time.monotonic()
        try:
            self._seen = at, self._api.request("GET", SLICES)["items"]
        except ApiAway:
            return

    def offered(self, node: str, state: State) -> Offered:
        """Of the node; empty: the API server does not say."""
        at, items = self._seen
        if time.monotonic() - at > NEW_SECONDS:
            return {}
        found = offered(node, items, state)
        if found is not None:
            self._whole[node] = at, found
            return found
        whole_at, before = self._whole.get(node, (float("-inf"), NOTHING))
        return before if at - whole_at < CHANGE_SECONDS else NOTHING


class DraNodeLook(NodeLook):
    """Looks at one node."""

    def __init__(self, chaos: ChaosCluster, name: str, slices: SlicesLook) -> None:
        super().__init__(chaos, name)
        self._slices = slices
        self._state = self.simulation.state()
        """its cards keep their names and numbers all the time"""

    def sample(self) -> Sample:
        """The CDI files are read before and after the containers, which come and go meanwhile."""
        before = self._prepared()
        sample = super().sample()
        return sample._replace(prepared={**before, **self._prepared()})

    def read_checkpoint(self) -> Checkpoint:
        """What is offered, by the API server."""
        return Checkpoint(None, self._slices.offered(self.node.name, self._state), ())

    def held(self, devices: Iterable[tuple[int, int]], state: State) -> tuple[str, ...]:
        return pes_opened(devices, state)

    def _prepared(self) -> dict[str, float]:
        """PE to when the file that gives it was written; by the newest, should there be several."""
        found: dict[str, float] = {}
        for file in self.node.path(_CDI).glob(f"{DRIVER}-claim_*.json"):
            try:
                with file.open() as opened:
                    written_at, text = modified_at(opened.fileno()), opened.read()
            except FileNotFoundError:
                continue
            for pe in pes_given(text, self._state):
                found[pe] = max(written_at, found.get(pe, 0.0))
        return found


def dra_looks(chaos: ChaosCluster) -> list[Callable[[], Event | None]]:
    """At the slices, and at each node."""
    slices = SlicesLook(chaos.api)
    return [slices.look, *(DraNodeLook(chaos, name, slices).sample for name in chaos.nodes)]
