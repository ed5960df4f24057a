"""When a driver that starts lets the kubelet find it."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.driver import OPEN_SECONDS, Driver
from furiosa_npu.kubelet.dra_v1 import Claim
from tests.jumping_loop import run
from tests.unit.test_dra_driver_preparer import TRAIN, Desk


@pytest.mark.parametrize(("opens_at", "found_at"), [(0.0, 0.0), (1.0, 1.0), (60.0, OPEN_SECONDS)])
def test_a_driver_is_found_when_it_can_prepare_or_after_five_seconds(opens_at: float, found_at: float) -> None:
    """The kubelet calls the newest instance: one that still refuses would fail pods which the older one serves."""

    async def story() -> None:
        clock = asyncio.get_running_loop().time

        def closed() -> str | None:
            return "not yet" if clock() < opens_at else None

        nothing = cast(Any, None)
        await Driver(nothing, closed, nothing, nothing, clock).until_open()
        assert clock() == pytest.approx(found_at, abs=0.1)

    run(story())


def test_what_a_driver_that_retires_refused_to_prepare_it_unprepares_however_often(tmp_path: Path) -> None:
    """The kubelet may say Unprepare of a pod that it could not start, too, and cannot end the pod without an answer."""

    async def story() -> None:
        desk = Desk(tmp_path)
        answered: list[tuple[str, str | None]] = []
        desk.allocated(TRAIN, "npu-w0")

        def note(call: str, named: ClaimName, reason: str | None, seconds: float) -> None:
            assert (named, seconds) == (TRAIN, 0.0)
            answered.append((call, reason))

        retires = "this driver retires (--retire=on): it prepares nothing new"
        driver = Driver(desk.preparer, lambda: retires, lambda: None, note, asyncio.get_running_loop().time)
        claim = Claim(TRAIN.namespace, TRAIN.uid, TRAIN.name)
        assert await driver.prepare((claim,)) == {TRAIN.uid: f"{TRAIN}: {retires}"}
        for _ in range(2):
            assert await driver.unprepare((claim,)) == {TRAIN.uid: None}
        assert (desk.state(), desk.files(), desk.looked) == (None, [], [])
        ended = ("NodeUnprepareResources", None)
        assert answered == [("NodePrepareResources", f"{TRAIN}: {retires}"), ended, ended]

    run(story())
