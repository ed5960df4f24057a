"""What a kubelet hears in the place of a device plugin that has gone, from the driver that took over."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.plugin_successor import PluginSuccessor
from furiosa_npu.kubelet.deviceplugin_v1beta1 import DevicePluginOptions, ListAndWatchResponse
from furiosa_npu.watch.conditions import Conditions
from tests.protocol.dra_kubelet import SECONDS, DraKubelet
from tests.protocol.dra_place import until

ALPHA, PLAIN = "alpha.furiosa.ai/npu", "furiosa.ai/npu"
EMPTY = (DevicePluginOptions(), ListAndWatchResponse())


class Taken:
    """A node whose plane the driver has taken."""

    def __init__(self, folder: str) -> None:
        self.kubelet = DraKubelet(folder)
        self.over = False
        self.lines: list[str] = []
        log = Log(write=self.lines.append)
        self.conditions = Conditions(log)
        self._folder = Path(folder)
        self._successor = PluginSuccessor(
            (ALPHA, PLAIN),
            folder,
            "a",
            lambda: self.over,
            lambda: asyncio.get_running_loop().time(),
            log,
            self.conditions,
            look_seconds=0.02,
        )

    def knew(self, *resources: str) -> None:
        """The kubelet has written its checkpoint."""
        folder = self._folder / "device-plugins"
        folder.mkdir(exist_ok=True)
        data = {"PodDeviceEntries": None, "RegisteredDevices": dict.fromkeys(resources, ())}
        (folder / "kubelet_internal_checkpoint").write_text(json.dumps({"Data": data, "Checksum": 1}))

    def sockets(self) -> list[str]:
        return sorted(path.name for path in self._folder.rglob("*.sock"))

    @asynccontextmanager
    async def run(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(self._successor.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def taken(folder: str) -> Taken:
    return Taken(folder)


async def test_a_kubelet_is_told_of_no_devices_and_asked_for_no_calls(taken: Taken) -> None:
    """Under each name that it knew; as long as pods hold cards under them, and no longer."""
    taken.knew(ALPHA, PLAIN, "other.example/card")
    async with taken.kubelet.living(), taken.run() as running:
        await until(lambda: taken.kubelet.device_plugins == {ALPHA: EMPTY, PLAIN: EMPTY})
        assert (running.done(), taken.conditions.troubles()) == (False, ())
        taken.over = True
        await asyncio.wait_for(running, SECONDS)
    assert (taken.sockets(), taken.kubelet.failures) == ([], [])


@pytest.mark.parametrize("knew", [(), ("other.example/card",), None], ids=["nothing", "another", "no file"])
async def test_where_no_device_plugin_was_nothing_is_said(taken: Taken, knew: tuple[str, ...] | None) -> None:
    """The node's status then has no resource of these names."""
    if knew is not None:
        taken.knew(*knew)
    async with taken.run() as running:
        await asyncio.wait_for(running, SECONDS)
    assert taken.sockets() == []


async def test_it_is_there_until_the_kubelet_has_taken_it(taken: Taken) -> None:
    """Though no pod holds anything: what the kubelet remembers of the plugin is what is in the way."""
    taken.knew(PLAIN)
    taken.over = True
    async with taken.run() as running:
        await until(lambda: taken.sockets() == ["a-names.sock", "furiosa.ai_npu-a-names.sock"])
        assert not running.done()
        await taken.kubelet.look()
        await asyncio.wait_for(running, SECONDS)
    assert taken.kubelet.device_plugins == {PLAIN: EMPTY}


async def test_a_refusal_of_the_kubelet_is_said(taken: Taken) -> None:
    """Ready it is not meanwhile: pods of these names do not start."""
    taken.knew(PLAIN)
    taken.kubelet.refuses = "no device plugins here"
    async with taken.run():
        await until(lambda: len(taken.sockets()) == 2)
        await taken.kubelet.look()
        ((part, reason),) = taken.conditions.troubles()
        assert (part, reason.endswith("no device plugins here")) == ("device-plugin", True)


async def test_sockets_that_went_are_made_again(taken: Taken) -> None:
    """And the kubelet takes them again."""
    taken.knew(PLAIN)
    async with taken.kubelet.living(), taken.run():
        await until(lambda: taken.kubelet.device_plugins == {PLAIN: EMPTY})
        taken.kubelet.device_plugins.clear()
        os.unlink(f"{taken.kubelet.folder}/plugins_registry/furiosa.ai_npu-a-names.sock")
        await until(lambda: taken.kubelet.device_plugins == {PLAIN: EMPTY})
    assert taken.sockets() == []
