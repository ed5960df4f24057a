"""One resource's life beside a kubelet that misbehaves: a real folder and sockets, a clock that jumps to what is next."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.device_plugin.conditions import Conditions
from furiosa_npu.device_plugin.endpoint import CALL_BACK_SECONDS, LAST_RETRY_SECONDS, Endpoint
from furiosa_npu.device_plugin.resource_plugin import ResourcePlugin
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.client import KubeletError
from tests.jumping_loop import run

RESOURCE = "furiosa.ai/npu"


class Streams(ResourcePlugin):
    """A plugin whose ListAndWatch streams are opened by hand."""

    def __init__(self) -> None:
        self.resource = RESOURCE
        self._streams: dict[int, asyncio.Event] = {}
        self.streams_begun = 0

    def open(self) -> None:
        self.streams_begun += 1
        self._streams[self.streams_begun] = asyncio.Event()


class Kubelet:
    """What registers with it, and when; its socket is bound, and nobody listens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugin = Streams()
        self.calls_back = True
        self.refusals = 0
        self.registered_at: list[float] = []
        self.lines: list[str] = []
        log = Log("text", "info", self.lines.append)
        self.conditions = Conditions(log)
        self.endpoint = Endpoint(
            self.plugin,
            str(self.folder),
            lambda: asyncio.get_running_loop().time(),
            log,
            self.conditions,
            self.register,
        )

    @property
    def socket(self) -> Path:
        return self.folder / "kubelet.sock"

    def bind(self) -> None:
        """A new socket in the old one's place."""
        self.socket.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(self.socket))
        self.endpoint.wake()

    async def register(self, path: str, request: v1beta1.RegisterRequest, timeout_seconds: float) -> None:
        assert (path, request.resource_name) == (str(self.socket), RESOURCE)
        self.registered_at.append(asyncio.get_running_loop().time())
        if self.refusals > 0:
            self.refusals -= 1
            raise KubeletError("connection refused")
        if self.calls_back:
            self.plugin.open()
            self.endpoint.streams_changed()

    def lives(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """The endpoint runs while the story is told."""

        async def whole() -> None:
            running = asyncio.create_task(self.endpoint.run())
            await story()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        run(whole())


@pytest.fixture
def kubelet(folder: str) -> Kubelet:
    """Not there yet: its folder is."""
    return Kubelet(Path(folder))


def test_a_new_kubelet_does_not_pay_for_the_last_one(kubelet: Kubelet) -> None:
    """A kubelet killed with -9 leaves its socket, and the pauses grow; its successor's first is the shortest again.

    A kubelet binds its socket a moment before it listens: the first Register may well fail.
    """

    async def story() -> None:
        kubelet.refusals = 1_000_000
        kubelet.bind()
        await asyncio.sleep(600)
        pauses = [
            after - before for before, after in zip(kubelet.registered_at, kubelet.registered_at[1:], strict=False)
        ]
        assert max(pauses) == pytest.approx(LAST_RETRY_SECONDS)
        kubelet.refusals = 1
        since = asyncio.get_running_loop().time()
        before = len(kubelet.registered_at)
        kubelet.bind()
        await asyncio.sleep(60)
        assert [round(at - since, 3) for at in kubelet.registered_at[before:]] == [0.0, 0.1]
        assert kubelet.conditions.troubles() == ()

    kubelet.lives(story)
