"""A node's kubelet folder with a kubelet's side of DRA on it, and endpoints of drivers that prepare one claim."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.endpoint import Endpoint
from furiosa_npu.kubelet import dra_health_v1 as health
from furiosa_npu.kubelet import dra_v1 as dra
from furiosa_npu.watch.conditions import Conditions
from tests.protocol.dra_kubelet import SECONDS, SERVICES, DraKubelet

ONE, TWO = dra.Claim("default", "uid-1", "one"), dra.Claim("default", "uid-2", "two")
NPU0 = dra.Device(("npu",), "node01", "npu-0", ("npu.furiosa.ai/claim=uid-1-npu",))
PREPARED = {"uid-1": dra.NodePrepareResourceResponse((NPU0,))}


class Driver:
    """Prepares `uid-1`, and nothing else; tells of a card's health what it is told."""

    def __init__(self, name: str = "one") -> None:
        self.name = name
        self.unprepared: list[dra.Claim] = []
        self.health: asyncio.Queue[health.NodeWatchResourcesResponse] = asyncio.Queue()
        self.watchers = 0
        self.watched_by_nobody = asyncio.Event()
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        """while it is not set, nothing is prepared"""
        self.answers.set()

    async def prepare(self, claims: Sequence[dra.Claim]) -> Mapping[str, tuple[dra.Device, ...] | str]:
        self.asked.set()
        await self.answers.wait()
        return {claim.uid: (NPU0,) if claim == ONE else f"{self.name}: no such device" for claim in claims}

    async def unprepare(self, claims: Sequence[dra.Claim]) -> Mapping[str, str | None]:
        self.unprepared += claims
        return {claim.uid: None if claim == ONE else "the disk is full" for claim in claims}

    async def watched(self) -> AsyncIterator[health.NodeWatchResourcesResponse]:
        self.watchers += 1
        try:
            while True:
                yield await self.health.get()
        finally:
            self.watchers -= 1
            self.watched_by_nobody.set()


class Place:
    """What the endpoints made here say is in `conditions` and `lines`."""

    def __init__(self, folder: Path, services: tuple[str, ...] = SERVICES) -> None:
        self.kubelet = DraKubelet(str(folder), services)
        self.folder = folder
        self.lines: list[str] = []
        self._log = Log(write=self.lines.append)
        self.conditions = Conditions(self._log)
        self.registrations = 0
        self.twice: list[str] = []
        """what is to be an event about the node"""
        self._registered = asyncio.Event()

    def endpoint(self, driver: Driver, instance: str = "a") -> Endpoint:
        def clock() -> float:
            return asyncio.get_running_loop().time()

        folder = self.kubelet.folder
        return Endpoint(
            driver,
            driver.watched,
            folder,
            instance,
            clock,
            self._log,
            self.conditions,
            self._on_registered,
            self.twice.append,
        )

    @asynccontextmanager
    async def served(self, driver: Driver, instance: str = "a") -> AsyncIterator[Endpoint]:
        """An endpoint that keeps itself until the end of the block, as at SIGTERM."""
        endpoint = self.endpoint(driver, instance)
        task = asyncio.create_task(endpoint.run())
        try:
            yield endpoint
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until_registered(self, times: int) -> None:
        """By instances of this place, all in all."""
        async with asyncio.timeout(SECONDS):
            while self.registrations < times:
                self._registered.clear()
                await self._registered.wait()

    def sockets(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*.sock"))

    def _on_registered(self) -> None:
        self.registrations += 1
        self._registered.set()


def sockets_of(*instances: str) -> list[str]:
    """Theirs, from the kubelet's folder."""
    driver = [f"plugins/npu.furiosa.ai/{instance}.sock" for instance in instances]
    return driver + [f"plugins_registry/npu.furiosa.ai-{instance}-reg.sock" for instance in instances]


async def until(condition: Callable[[], bool]) -> None:
    """Turns of the loop, each with whatever is ready."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - of what stands in folders no event tells here
            await asyncio.sleep(0)
