"""What a driver does about lost state: at its start, and when that happens while it runs."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.claim import Claim, NotFetched
from furiosa_npu.dra_driver.restoration import LOCAL_SECONDS, Restoration
from furiosa_npu.dra_driver.restorer import Restorer
from furiosa_npu.dra_driver.state_file import StateError, StateLost
from furiosa_npu.watch.conditions import Conditions
from tests.jumping_loop import run
from tests.unit.claims import node
from tests.unit.test_dra_driver_preparer import SERVE, TRAIN, Desk, at_once


class Restoring:
    """A restoration that runs; what it says is in `lines`."""

    def __init__(self, desk: Desk) -> None:
        async def fetch_all() -> Mapping[str, Claim | NotFetched]:
            return {name.uid: found for name, found in desk.claims.items() if found is not None}

        self.desk = desk
        self.lines: list[str] = []
        log = Log(write=self.lines.append)
        self.conditions = Conditions(log)
        restorer = Restorer(desk.store, node(), desk.fetch, fetch_all, desk.look, at_once)
        self.restoration = Restoration(restorer, self.conditions, log)

    async def blocked(self) -> "asyncio.Task[None]":
        """It runs; the state is damaged, and the one claim in it is gone: it cannot be made out."""
        running = asyncio.create_task(self.restoration.run())
        await asyncio.sleep(0)
        self.desk.prepared(TRAIN)
        del self.desk.claims[TRAIN]
        self.damaged()
        return running

    def damaged(self) -> None:
        """Somebody damages the file, and the driver reads it."""
        self.desk.path.write_text("{")
        with pytest.raises(StateLost) as raised, self.desk.store.locked() as store:
            store.read()
        self.restoration.was_read(raised.value)


@pytest.fixture
def restoring(tmp_path: Path) -> Restoring:
    desk = Desk(tmp_path)
    desk.allocated(TRAIN, "npu-w0")
    return Restoring(desk)


def test_a_state_that_is_damaged_under_a_driver_that_runs_is_made_out_anew(restoring: Restoring) -> None:
    """Without a restart; until it is done nothing is prepared, and why stands in the refusals."""

    async def story() -> None:
        running = asyncio.create_task(restoring.restoration.run())
        await asyncio.sleep(0)
        assert restoring.restoration.pending is None
        train = restoring.desk.prepared(TRAIN)
        for _ in range(2):
            restoring.damaged()
            assert str(restoring.restoration.pending).startswith(f"{restoring.desk.path}: ")
            await asyncio.sleep(1)
            assert restoring.restoration.pending is None
            assert restoring.desk.state() == {TRAIN.uid: train}
        assert [line for line in restoring.lines if "made out anew" in line] == restoring.lines
        running.cancel()

    run(story())
    assert [Path(f"{restoring.desk.path}.corrupt-{number}").read_text() for number in (1, 2)] == ["{", "{"]


def test_while_what_was_lost_cannot_be_made_out_that_is_a_trouble_and_tried_again(restoring: Restoring) -> None:
    """Here the claim is gone, and its pod still ends."""

    async def story() -> None:
        running = await restoring.blocked()
        await asyncio.sleep(1000)
        ((part, reason),) = restoring.conditions.troubles()
        assert (part, reason) == ("prepared claims", restoring.restoration.pending)
        assert reason.startswith(f"the API server has no claim {TRAIN.uid}: nothing more is prepared until")
        await restoring.desk.preparer.unprepare((TRAIN,))
        await asyncio.sleep(LOCAL_SECONDS)
        assert (restoring.conditions.troubles(), restoring.restoration.pending) == ((), None)
        assert restoring.desk.state() == {}
        running.cancel()

    run(story())


def test_the_end_of_the_claim_that_is_in_the_way_lets_it_go_on_at_once(restoring: Restoring) -> None:
    """It does not wait for the next try."""

    async def story() -> None:
        running = await restoring.blocked()
        await asyncio.sleep(600)
        assert restoring.restoration.pending is not None
        await restoring.desk.preparer.unprepare((TRAIN,))
        restoring.restoration.claim_ended()
        await asyncio.sleep(0.001)
        assert restoring.restoration.pending is None
        running.cancel()

    run(story())


def test_a_state_that_cannot_be_read_is_a_trouble_until_it_can(restoring: Restoring) -> None:
    """Another instance hangs with the lock: nothing is lost, and the driver is not ready."""

    async def story() -> None:
        running = asyncio.create_task(restoring.restoration.run())
        await asyncio.sleep(0)
        restoring.restoration.was_read(StateError("prepared.lock is held"))
        assert restoring.restoration.pending is None
        assert restoring.conditions.troubles() == (("prepared claims", "prepared.lock is held"),)
        restoring.restoration.was_read(None)
        assert restoring.conditions.troubles() == ()
        running.cancel()

    run(story())


def test_a_state_that_can_be_read_is_no_end_of_a_restoration(restoring: Restoring) -> None:
    """What keeps it from its end is another thing, and is said until it is over."""
    restoring.conditions.trouble("prepared claims", "the CDI folder is read-only")
    for said in (None, StateError("prepared.lock is held")):
        restoring.restoration.was_read(said)
    assert restoring.conditions.troubles() == (("prepared claims", "the CDI folder is read-only"),)


def test_what_an_earlier_boot_left_is_removed_once_the_api_server_says_that_it_is_gone(tmp_path: Path) -> None:
    """It is asked again, and that is said once: a driver that retires would wait for pods that there are not."""
    before = Desk(tmp_path, "boot-0")
    before.allocated(TRAIN, "npu-w0")
    before.prepared(TRAIN)
    desk = Desk(tmp_path)
    desk.claims[TRAIN] = NotFetched("GET claims/train: 503")
    desk.allocated(SERVE, "npu-w1")
    desk.prepared(SERVE)
    del desk.claims[SERVE]
    restoring = Restoring(desk)

    async def story() -> None:
        running = asyncio.create_task(restoring.restoration.run())
        await asyncio.sleep(100)
        assert (restoring.restoration.pending, {*(desk.state() or ())}) == (None, {TRAIN.uid, SERVE.uid})
        of_this_boot, line = restoring.lines
        assert f"{SERVE} is prepared, and the API server no longer has it" in of_this_boot
        assert "claims of an earlier boot stay in the state file for now" in line
        assert "GET claims/train: 503" in line
        del desk.claims[TRAIN]
        await asyncio.sleep(600)
        assert ({*(desk.state() or ())}, len(restoring.lines)) == ({SERVE.uid}, 3)
        running.cancel()

    run(story())
