"""The node's specification over time: when it is written, tried again, and left as it is."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.allocation.container_edits import container_edits
from furiosa_npu.allocation.pool import Unit
from furiosa_npu.cdi import spec_file
from furiosa_npu.device_plugin.injection import Injection
from furiosa_npu.device_plugin.injector import RETRY_SECONDS, Injector
from furiosa_npu.device_plugin.node_specification import NodeSpecification
from furiosa_npu.hardware.reading import Reading, Roots
from furiosa_npu.health.verdict import State, Verdict
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.npu_pool import Refused
from tests.jumping_loop import run
from tests.unit.readings import renegade, warboy

HOST = Roots("/dev", "/sys")


class Story:
    """An injector whose cards and folder are in the test's hands. To be made in a loop."""

    def __init__(self, folder: Path, injection: Injection = "cdi") -> None:
        self.said: list[str] = []
        log = Log(write=lambda line: self.said.append(line.partition(" ")[2].strip()))
        self.conditions = Conditions(log)
        self.known = asyncio.Event()
        self.path = folder / "furiosa.ai-npu.json"
        self.injector = Injector(
            injection,
            NodeSpecification(str(folder), HOST, lambda: None),
            lambda cards: container_edits(cards, "fused", HOST, None),
            "nobody to ask",
            self._until_known,
            self.conditions,
            log,
        )

    async def _until_known(self) -> None:
        await self.known.wait()

    def pool(self, *cards: Reading, state: State = "idle") -> None:
        units = [
            Unit(card.uuid or card.name, card.uuid or card.name, card, Verdict(state, "", "", 0.0)) for card in cards
        ]
        self.injector.pool_changed({unit.id: unit for unit in units})

    @property
    def names(self) -> list[str]:
        return [device["name"] for device in json.loads(self.path.read_text())["devices"]]


def test_what_a_plugin_that_was_killed_had_begun_to_write_is_removed(tmp_path: Path) -> None:
    """At the next one's start; other files of the folder are others'."""
    names = [".furiosa.ai-npu.json.0a1b2c3d.new", ".furiosa.ai-npu_uid-1.json.0a1b2c3d.new", "other.json"]
    for name in names:
        (tmp_path / name).write_text("{")
    NodeSpecification(str(tmp_path), HOST, lambda: None)
    assert sorted(os.listdir(tmp_path)) == names[1:]


def test_nothing_is_written_before_all_cards_are_known(tmp_path: Path) -> None:
    """A plugin that starts finds the file of its predecessor, and pods that were told of it."""

    async def story() -> None:
        told = Story(tmp_path)
        told.path.write_text("old")
        told.pool(warboy(0))
        assert told.path.read_text() == "old"
        told.known.set()
        told.pool(warboy(0), warboy(1))
        await told.injector.decide()
        assert told.names == ["WARBOY-0", "npu0", "WARBOY-1", "npu1"]

    run(story())


def test_the_file_follows_the_cards_and_goes_with_the_last(tmp_path: Path) -> None:
    """One that is gone is none, one that has failed is one; what changes otherwise about a card writes nothing."""

    async def story() -> None:
        told = Story(tmp_path)
        told.known.set()
        await told.injector.decide()
        assert not told.path.exists()
        told.pool(warboy(0), renegade(1))
        written = spec_file.identity(str(told.path))
        told.pool(warboy(0)._replace(heartbeat_seconds=7), renegade(1), state="failed")
        assert (told.names, spec_file.identity(str(told.path))) == (["WARBOY-0", "npu0", "RENEGADE-1", "npu1"], written)
        told.pool(warboy(2, uuid="WARBOY-0"))
        assert told.names == ["WARBOY-0", "npu2"]
        told.pool(warboy(2), state="gone")
        assert os.listdir(tmp_path) == []

    run(story())


def test_what_a_last_look_saw_is_not_taken_back(tmp_path: Path) -> None:
    """The card got another number since the pool was looked at: the pool's older reading of it changes nothing."""

    async def story() -> None:
        told = Story(tmp_path)
        told.known.set()
        await told.injector.decide()
        told.pool(warboy(0), warboy(1))
        moved = {"WARBOY-0": warboy(5, uuid="WARBOY-0")}
        told.injector.ready(moved)
        told.pool(warboy(0), warboy(1))
        assert told.names == ["WARBOY-1", "npu1", "WARBOY-0", "npu5"]
        answer = told.injector.answer(moved)
        assert (answer.envs["NPU_DEVNAME"], answer.devices, answer.mounts) == ("npu5pe0-1", (), ())
        assert answer.cdi_devices == (v1beta1.CDIDevice("furiosa.ai/npu=WARBOY-0"),)

    run(story())


def test_a_file_that_could_not_be_written_is_tried_again(tmp_path: Path) -> None:
    """Said once; nothing is handed out meanwhile; well again without a pod that asks."""

    async def story() -> None:
        folder = tmp_path / "cdi"
        folder.write_text("in its place")
        told = Story(folder)
        told.known.set()
        told.pool(warboy(0))
        await told.injector.decide()
        with pytest.raises(Refused, match=f"{told.path}: cannot be read: Not a directory"):
            told.injector.ready({"WARBOY-0": warboy(0)})
        await asyncio.sleep(3 * RETRY_SECONDS)
        ((part, reason),) = told.conditions.troubles()
        assert (part, len(told.said)) == ("cdi", 1)
        assert reason.endswith("Not a directory: a part of the path is no folder: meanwhile no NPU is handed out")
        folder.unlink()
        await asyncio.sleep(RETRY_SECONDS)
        assert (told.conditions.troubles(), told.names) == ((), ["WARBOY-0", "npu0"])
        told.injector.ready({"WARBOY-0": warboy(0)})

    run(story())


def test_cards_that_are_left_out_are_said_once_and_refused(tmp_path: Path) -> None:
    """No trouble of the plugin's: the others are handed out."""

    async def story() -> None:
        told = Story(tmp_path)
        told.known.set()
        await told.injector.decide()
        for number in (1, 2):
            told.pool(warboy(0), warboy(1, uuid="odd name"), warboy(3 + number))
        (line,) = told.said
        assert f"{told.path} leaves out npu1: its UUID is 'odd name', expected for CDI: " in line
        assert told.conditions.troubles() == ()
        told.injector.ready({"WARBOY-0": warboy(0)})
        with pytest.raises(Refused, match=r"not in the CDI specification .*: npu1: its UUID is 'odd name'"):
            told.injector.ready({"WARBOY-0": warboy(0), "odd name": warboy(1, uuid="odd name")})

    run(story())


@pytest.mark.parametrize("injection", ["auto", "device-specs"])
def test_device_files_are_given_where_nothing_is_known_of_cdi(tmp_path: Path, injection: Injection) -> None:
    """And no file is made, whatever happens."""

    async def story() -> None:
        told = Story(tmp_path, injection)
        told.known.set()
        await told.injector.decide()
        told.pool(warboy(0))
        told.injector.ready({"WARBOY-0": warboy(0)})
        answer = told.injector.answer({"WARBOY-0": warboy(0)})
        assert answer.devices[0] == v1beta1.DeviceSpec("/dev/npu0", "/dev/npu0", "rw")
        assert (answer.cdi_devices, os.listdir(tmp_path)) == ((), [])
        reason = 'info cards reach containers as device files, not by CDI reason="nobody to ask"'
        assert told.said == ([reason] if injection == "auto" else [])

    run(story())
