"""One resource beside a kubelet that misbehaves: a real folder and sockets, a clock that jumps to what is next."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.demo.calls import Journal
from furiosa_npu.demo.plugin_client import PluginClient, PluginError
from furiosa_npu.device_plugin.endpoint import (
    CALL_BACK_SECONDS,
    CALLS_SECONDS,
    FOLDER_SECONDS,
    LAST_RETRY_SECONDS,
    Endpoint,
)
from furiosa_npu.device_plugin.resource_plugin import ResourcePlugin
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.client import KubeletError
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.pages import ready
from tests.jumping_loop import run

RESOURCE = "furiosa.ai/npu"
PLAIN = "furiosa-npu-furiosa.ai_npu.sock"


class Streams(ResourcePlugin):
    """A plugin whose ListAndWatch streams are opened, and whose Allocate is answered, by hand."""

    def __init__(self) -> None:
        self.resource = RESOURCE
        self._streams: dict[int, asyncio.Event] = {}
        self.streams_begun = 0
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def allocate(self, _: v1beta1.AllocateRequest) -> v1beta1.AllocateResponse:
        self.asked.set()
        await self.answers.wait()
        return v1beta1.AllocateResponse((v1beta1.ContainerAllocateResponse({}),))

    def open(self) -> None:
        self.streams_begun += 1
        self._streams[self.streams_begun] = asyncio.Event()

    def close(self) -> None:
        """Whatever is open."""
        self._streams.clear()


class Kubelet:
    """What registers with it, and when; its socket is bound, and nobody listens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugin = Streams()
        self.calls_back = True
        self.refusal: Exception | None = None
        self.refusals = 0
        self.told: list[str] = []
        """the names of the sockets that registered"""
        self.others: list[str] = []
        """sockets of others"""
        self.registered_at: list[float] = []
        self.lines: list[str] = []
        log = Log("text", "info", self.lines.append)
        self.conditions = Conditions(log)
        self.endpoint = Endpoint(
            self.plugin,
            str(folder),
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
        self.told.append(request.endpoint)
        assert self.served() == [request.endpoint]
        if self.refusals > 0:
            self.refusals -= 1
            raise KubeletError("connection refused") from self.refusal
        if self.calls_back:
            self.plugin.open()
            self.endpoint.streams_changed()

    def served(self) -> list[str]:
        """The plugin's sockets in the folder."""
        found = sorted(path.name for path in self.folder.glob("furiosa-npu-*.sock"))
        return [name for name in found if name not in self.others]

    def ready(self) -> tuple[int, str]:
        """What `/readyz` answers of a plugin whose cards are looked at all the time."""
        return ready(self.conditions.troubles(), 0.0, 0.0, 1.0)

    def said(self, words: str) -> int:
        """In how many lines of the log."""
        return sum(words in line for line in self.lines)

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


def test_a_kubelet_that_never_calls_back_is_asked_once_more_each_ten_seconds(kubelet: Kubelet) -> None:
    """It took the registration and opens no stream: said once, not ready, and well again when it calls back."""

    async def story() -> None:
        kubelet.calls_back = False
        kubelet.bind()
        await asyncio.sleep(35)
        assert kubelet.registered_at == [0.0, CALL_BACK_SECONDS, 2 * CALL_BACK_SECONDS, 3 * CALL_BACK_SECONDS]
        reason = "the kubelet took the registration and did not call back in 10 s"
        assert kubelet.conditions.troubles() == ((RESOURCE, reason),)
        assert kubelet.said(reason) == 1
        kubelet.calls_back = True
        await asyncio.sleep(60)
        assert len(kubelet.registered_at) == 5
        assert kubelet.conditions.troubles() == ()

    kubelet.lives(story)


def test_a_kubelet_that_is_away_for_a_week_is_registered_with_at_once(kubelet: Kubelet) -> None:
    """Its socket is deleted, as it does itself at its start: nothing is asked meanwhile, and one line says why."""

    async def story() -> None:
        kubelet.bind()
        await asyncio.sleep(1)
        kubelet.socket.unlink()
        kubelet.endpoint.wake()
        await asyncio.sleep(7 * 86400)
        assert kubelet.registered_at == [0.0]
        assert kubelet.said("no kubelet runs") == 1
        since = asyncio.get_running_loop().time()
        kubelet.bind()
        await asyncio.sleep(1)
        assert kubelet.registered_at == [0.0, since]
        assert kubelet.conditions.troubles() == ()

    kubelet.lives(story)


def test_a_kubelet_that_refuses_for_a_day_is_asked_each_half_minute_at_most(kubelet: Kubelet) -> None:
    """And in the first seconds often; its reason is said once."""

    async def story() -> None:
        kubelet.refusals = 1_000_000
        kubelet.bind()
        await asyncio.sleep(86400)
        early = [round(at, 1) for at in kubelet.registered_at if at < 10]
        assert early == [0.0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3]
        assert len(kubelet.registered_at) <= 86400 / LAST_RETRY_SECONDS + 10
        assert kubelet.said("connection refused") == 1

    kubelet.lives(story)


def test_a_folder_that_is_missing_at_boot_is_served_in_when_it_is_made(folder: str) -> None:
    """The kubelet makes it when it first starts: the plugin may be there before, and tries once a second."""
    kubelet = Kubelet(Path(folder, "made-later"))

    async def story() -> None:
        await asyncio.sleep(3600)
        assert kubelet.said("the kubelet's folder is not there or not writable") == 1
        assert [part for part, _ in kubelet.conditions.troubles()] == [RESOURCE]
        kubelet.folder.mkdir()
        kubelet.bind()
        await asyncio.sleep(FOLDER_SECONDS)
        assert len(kubelet.registered_at) == 1
        assert sorted(path.name for path in kubelet.folder.iterdir()) == [PLAIN, "kubelet.sock"]
        assert kubelet.conditions.troubles() == ()

    kubelet.lives(story)


@pytest.mark.parametrize("is_answered", [True, False])
def test_an_allocate_under_way_is_waited_for_less_than_a_second_before_the_socket_goes(
    kubelet: Kubelet, *, is_answered: bool
) -> None:
    """Answered in time it fails no pod, and nothing is waited for any longer."""

    async def story() -> None:
        loop, own = asyncio.get_running_loop(), kubelet.folder / PLAIN
        kubelet.bind()
        running = asyncio.create_task(kubelet.endpoint.run())
        await asyncio.sleep(1)
        client = PluginClient(str(own), RESOURCE, None, Journal())
        asked = asyncio.create_task(client.allocate(["A"]))
        await kubelet.plugin.asked.wait()
        started = loop.time()
        running.cancel()
        await asyncio.sleep(CALLS_SECONDS / 2)
        assert own.exists()
        if is_answered:
            kubelet.plugin.answers.set()
            assert await asked == v1beta1.ContainerAllocateResponse({})
        await asyncio.gather(running, return_exceptions=True)
        assert (own.exists(), loop.time() - started) == (False, CALLS_SECONDS / 2 if is_answered else CALLS_SECONDS)
        if not is_answered:
            with pytest.raises(PluginError):
                await asked
        client.close()

    run(story())


READY = (200, "ok\n")
UNREGISTERED = (503, f"{RESOURCE}: not registered with the kubelet yet\n")


def test_a_plugin_whose_stream_ended_is_not_ready_until_the_kubelet_calls_back(kubelet: Kubelet) -> None:
    """To the kubelet it has no cards: its stream is not opened again without a registration."""

    async def story() -> None:
        assert kubelet.ready() == UNREGISTERED
        kubelet.bind()
        await asyncio.sleep(1)
        assert kubelet.ready() == READY
        kubelet.calls_back = False
        kubelet.plugin.close()
        kubelet.endpoint.streams_changed()
        assert kubelet.ready() == UNREGISTERED
        await asyncio.sleep(1)
        assert kubelet.ready() == UNREGISTERED
        kubelet.plugin.open()
        kubelet.endpoint.streams_changed()
        await asyncio.sleep(1)
        assert kubelet.ready() == READY

    kubelet.lives(story)


def test_a_plugin_whose_socket_was_removed_is_not_ready_until_the_kubelet_calls_back(kubelet: Kubelet) -> None:
    """The socket is made anew at once, and the kubelet has to open its stream there."""

    async def story() -> None:
        kubelet.bind()
        await asyncio.sleep(1)
        assert kubelet.ready() == READY
        kubelet.calls_back = False
        (kubelet.folder / PLAIN).unlink()
        kubelet.endpoint.wake()
        await asyncio.sleep(1)
        assert (kubelet.served(), kubelet.ready()) == ([kubelet.told[-1]], UNREGISTERED)
        kubelet.calls_back = True
        await asyncio.sleep(CALL_BACK_SECONDS)
        assert kubelet.ready() == READY

    kubelet.lives(story)


def test_a_plugin_whose_kubelet_is_away_is_not_ready(kubelet: Kubelet) -> None:
    """Its socket is not there: the reason says which, and a new one is registered with."""

    async def story() -> None:
        kubelet.bind()
        await asyncio.sleep(1)
        kubelet.socket.unlink()
        kubelet.endpoint.wake()
        await asyncio.sleep(1)
        assert kubelet.ready() == (503, f"{RESOURCE}: {kubelet.socket} is not there: no kubelet runs\n")
        kubelet.bind()
        await asyncio.sleep(1)
        assert kubelet.ready() == READY

    kubelet.lives(story)


def test_a_kubelet_is_told_of_no_socket_twice(kubelet: Kubelet) -> None:
    """Its stream ended, the socket was removed, it refused, it did not call back: 1.37 may lock a path for ever."""

    async def story() -> None:
        kubelet.bind()
        await asyncio.sleep(1)
        assert kubelet.told == [PLAIN]
        kubelet.plugin.close()
        kubelet.endpoint.streams_changed()
        await asyncio.sleep(1)
        (kubelet.folder / kubelet.told[-1]).unlink()
        kubelet.endpoint.wake()
        await asyncio.sleep(1)
        assert len(kubelet.told) == 3
        kubelet.refusals, kubelet.calls_back = 3, False
        kubelet.plugin.close()
        kubelet.endpoint.streams_changed()
        await asyncio.sleep(CALL_BACK_SECONDS + 5)
        assert len(kubelet.told) == 8
        assert len(set(kubelet.told)) == len(kubelet.told)
        assert kubelet.served() == [kubelet.told[-1]]

    kubelet.lives(story)


@pytest.mark.parametrize("cause", [ConnectionRefusedError(), FileNotFoundError()])
def test_a_kubelet_that_was_not_reached_is_told_of_the_same_socket_later(kubelet: Kubelet, cause: Exception) -> None:
    """It knows nothing of it."""
    kubelet.refusals, kubelet.refusal = 5, cause

    async def story() -> None:
        kubelet.bind()
        await asyncio.sleep(60)
        assert kubelet.told == [PLAIN] * 6

    kubelet.lives(story)


def test_the_socket_of_a_plugin_that_was_killed_is_removed_and_its_name_left_alone(kubelet: Kubelet) -> None:
    """The kubelet may not have seen its end yet. One that somebody serves at stays."""
    with socket.socket(socket.AF_UNIX) as dead, socket.socket(socket.AF_UNIX) as living:
        dead.bind(str(kubelet.folder / PLAIN))
        other = kubelet.folder / "furiosa-npu-furiosa.ai_npu-other.sock"
        living.bind(str(other))
        living.listen()

        async def story() -> None:
            kubelet.others = [other.name]
            kubelet.bind()
            await asyncio.sleep(1)
            (told,) = kubelet.told
            assert told != PLAIN
            assert kubelet.served() == [told]
            assert other.exists()

        kubelet.lives(story)
