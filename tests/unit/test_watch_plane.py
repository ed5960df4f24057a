"""Two planes, never both on one node: what their agents' locks let through."""

import asyncio
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.plane import PLANE_SECONDS, until_ours
from furiosa_npu.watch.plane_lock import Plane, PlaneLock, holder
from tests.jumping_loop import run


def test_agents_of_one_plane_hand_out_together(tmp_path: Path) -> None:
    """As two of them do for a moment during a rolling update."""
    old, new = PlaneLock(str(tmp_path), "dra"), PlaneLock(str(tmp_path), "dra")
    assert [old.take(), new.take(), new.take()] == [None, None, None]


def test_the_other_plane_waits_and_says_for_whom(tmp_path: Path) -> None:
    """Until all agents of the first have let go."""
    plugins = [PlaneLock(str(tmp_path), "device-plugin") for _ in range(2)]
    driver = PlaneLock(str(tmp_path), "dra")
    assert [plugin.take() for plugin in plugins] == [None, None]
    reason = (
        f"{tmp_path}/plane-device-plugin.lock is held: the device plugin (furiosa-npu-plugin) hands out this node's "
        "cards, and one plane at a time does; stop it first"
    )
    assert driver.take() == reason
    plugins[0].release()
    assert driver.take() == reason
    plugins[1].release()
    assert driver.take() is None
    assert plugins[0].take() == (
        f"{tmp_path}/plane-dra.lock is held: the DRA driver (furiosa-npu-dra-driver) hands out this node's cards, and "
        "one plane at a time does; stop it first"
    )


def test_an_agent_that_is_killed_leaves_no_lock(tmp_path: Path) -> None:
    """The kernel takes it back."""
    program = (
        "import sys, time\n"
        "from furiosa_npu.watch.plane_lock import PlaneLock\n"
        "lock = PlaneLock(sys.argv[1], 'dra')\n"
        "print(lock.take(), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"None\n"
        plugin = PlaneLock(str(tmp_path), "device-plugin")
        assert plugin.take() is not None
        holder.kill()
        holder.wait()
        assert plugin.take() is None


def test_while_another_agent_decides_nobody_takes_it(tmp_path: Path) -> None:
    """Two that begin at the same instant cannot both find the other's lock free."""
    with open(tmp_path / "plane.lock", "w") as deciding:
        fcntl.flock(deciding, fcntl.LOCK_EX)
        assert PlaneLock(str(tmp_path), "dra").take() == (
            f"{tmp_path}/plane.lock is held: another agent decides at this moment"
        )
    assert PlaneLock(str(tmp_path), "dra").take() is None


def test_a_folder_that_cannot_be_had_gives_nobody_the_cards(tmp_path: Path) -> None:
    """Nobody could tell what the other plane does."""
    (tmp_path / "file").write_text("")
    assert PlaneLock(f"{tmp_path}/file/x", "dra").take() == (
        f"{tmp_path}/file/x: Not a directory: it cannot be told whether the other plane hands out cards"
    )


def test_a_read_only_folder_with_the_files_keeps_nobody(tmp_path: Path) -> None:
    """They are opened to be read, and locked; nothing is written."""
    PlaneLock(str(tmp_path), "dra").take()
    for name in os.listdir(tmp_path):
        (tmp_path / name).chmod(0o444)
    assert sorted(os.listdir(tmp_path)) == ["plane-device-plugin.lock", "plane-dra.lock", "plane.lock"]
    assert all((tmp_path / name).stat().st_size == 0 for name in os.listdir(tmp_path))
    assert PlaneLock(str(tmp_path), "dra").take() is None


def test_whoever_waits_for_the_other_plane_is_told_that_it_hands_out(tmp_path: Path) -> None:
    """So a driver takes back what an earlier one published. Not where an agent decides at this moment, which may be one
    of its own plane, whose slices those are.
    """
    told: list[float] = []
    plugin, driver = PlaneLock(str(tmp_path), "device-plugin"), PlaneLock(str(tmp_path), "dra")
    deciding = os.open(tmp_path / "plane.lock", os.O_RDONLY | os.O_CREAT)
    fcntl.flock(deciding, fcntl.LOCK_EX)

    async def story() -> None:
        clock = asyncio.get_running_loop().time
        conditions = Conditions(Log(write=lambda _: None))
        waiting = asyncio.create_task(until_ours(driver, conditions, lambda: told.append(clock())))
        await asyncio.sleep(PLANE_SECONDS / 2)
        assert len(conditions.troubles()) == 1
        os.close(deciding)
        assert plugin.take() is None
        await asyncio.sleep(2 * PLANE_SECONDS)
        plugin.release()
        await waiting
        assert (clock(), conditions.troubles()) == (3 * PLANE_SECONDS, ())

    run(story())
    assert told == [PLANE_SECONDS, 2 * PLANE_SECONDS]


@pytest.mark.parametrize("plane", ["device-plugin", "dra"])
def test_a_third_sees_whose_agents_hand_out_and_leaves_no_trace(tmp_path: Path, plane: Plane) -> None:
    """It neither makes a file nor keeps a lock: the other plane may take over at once."""
    assert (holder(str(tmp_path)), os.listdir(tmp_path)) == (None, [])
    agent = PlaneLock(str(tmp_path), plane)
    assert (agent.take(), holder(str(tmp_path)), holder(str(tmp_path))) == (None, plane, plane)
    agent.release()
    assert holder(str(tmp_path)) is None
    assert PlaneLock(str(tmp_path), "dra" if plane == "device-plugin" else "device-plugin").take() is None


def test_a_third_that_cannot_tell_says_so(tmp_path: Path) -> None:
    """A folder that is not mounted is no node on which nobody hands out; nor is one where an agent decides just now."""
    with pytest.raises(FileNotFoundError):
        holder(f"{tmp_path}/none")
    PlaneLock(str(tmp_path), "dra").take()
    with open(tmp_path / "plane.lock") as deciding:
        fcntl.flock(deciding, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            holder(str(tmp_path))
