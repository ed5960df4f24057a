"""A simulation on the disk: its files are those of the state, whatever happened; others' files are left alone."""

import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from furiosa_npu.simulator import (
    ChangeError,
    FaultError,
    NoSimulationError,
    Simulation,
    WrongRootError,
    live,
    parse_scenario,
)
from furiosa_npu.simulator.faults import KINDS
from furiosa_npu.simulator.nodes import Device, Folder, Link, Text, Tree
from furiosa_npu.simulator.tree import render
from furiosa_npu.simulator.writer import make_devices

MIXED = parse_scenario("cards: [{family: warboy}, {family: renegade}]")
WARBOY, RENEGADE = (card.uuid for card in MIXED)


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation.create(f"{tmp_path}/sim", MIXED, plain_files=True)


def _seen(simulation: Simulation) -> dict[str, tuple[object, ...]]:
    """What is on the disk: kind, mode and text of each file (None where it is closed), the target of each link."""
    found: dict[str, tuple[object, ...]] = {}
    for name, root in (("dev", simulation.roots.devfs), ("sys", simulation.roots.sysfs)):
        for folder, folders, files in os.walk(root):
            for entry in (*files, *(each for each in folders if os.path.islink(os.path.join(folder, each)))):
                path = os.path.join(folder, entry)
                found[os.path.join(name, os.path.relpath(path, root))] = _kind(path)
            if not os.listdir(folder):
                found[os.path.normpath(os.path.join(name, os.path.relpath(folder, root)))] = ("folder",)
    return found


def _kind(path: str) -> tuple[object, ...]:
    if os.path.islink(path):
        return ("link", os.readlink(path))
    mode = stat.S_IMODE(os.stat(path).st_mode)
    readable = mode & 0o444
    return ("file", mode, Path(path).read_text() if readable else None)


def _wanted(tree: Tree) -> dict[str, tuple[object, ...]]:
    wanted: dict[str, tuple[object, ...]] = {}
    for path, node in tree.items():
        match node:
            case Link(target):
                wanted[path] = ("link", target)
            case Text(content, mode):
                wanted[path] = ("file", mode, content if mode & 0o444 else None)
            case Device():
                wanted[path] = ("file", 0o666, "")
            case Folder() if not any(other.startswith(f"{path}/") for other in tree):
                wanted[path] = ("folder",)
            case Folder():
                pass
    return wanted


NPUS = st.sampled_from([card.pci_bdf for card in MIXED])
_FILE = st.sampled_from(["heartbeat", "atr_error", "device_uuid", "performance_mode", "npu_governor", "dev"])
FAULTS = st.sampled_from([kind.name for kind in KINDS if kind.default is not None or not kind.value]) | st.builds(
    "{}={}{}".format,
    st.sampled_from([kind.name for kind in KINDS if "FILE" in kind.value]),
    _FILE,
    st.sampled_from(["", ":EIO"]),
)


class AnyCommands(RuleBasedStateMachine):
    """Whatever commands come in whatever order, the disk shows what the state says and not a file more."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.simulation = Simulation.create(self.folder.name, MIXED, plain_files=True)

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(npu=NPUS, command=st.sampled_from(["remove", "add", "occupy", "release", "recover", "replace"]))
    def card(self, npu: str, command: str) -> None:
        self._try(lambda: getattr(self.simulation, command)(npu))

    @rule(npu=NPUS, fault=FAULTS)
    def fail(self, npu: str, fault: str) -> None:
        self._try(lambda: self.simulation.fail(npu, fault))

    @rule(npu=NPUS, fault=FAULTS)
    def recover_from(self, npu: str, fault: str) -> None:
        self._try(lambda: self.simulation.recover(npu, fault))

    @rule(npu=NPUS, index=st.integers(0, 3))
    def renumber(self, npu: str, index: int) -> None:
        self._try(lambda: self.simulation.renumber(npu, index))

    @rule(pe=st.sampled_from(["0", "1", "0-1"]), npu=NPUS)
    def occupy_one(self, npu: str, pe: str) -> None:
        self._try(lambda: self.simulation.occupy(npu, [pe]))

    @rule(loaded=st.booleans())
    def driver(self, loaded: bool) -> None:
        self._try(self.simulation.load_driver if loaded else self.simulation.unload_driver)

    @rule(seconds=st.integers(0, 10_000))
    def advance(self, seconds: int) -> None:
        self.simulation.advance(seconds)

    @rule()
    def create_anew(self) -> None:
        Simulation.create(self.folder.name, MIXED[:1], plain_files=True)
        Simulation.create(self.folder.name, MIXED, plain_files=True)

    @staticmethod
    def _try(command: Callable[[], object]) -> None:
        try:
            command()
        except (ChangeError, FaultError) as error:
            assert str(error)  # noqa: PT017  (a refusal changes nothing, which the invariant sees)

    @invariant()
    def the_disk_shows_the_state(self) -> None:
        assert _seen(self.simulation) == _wanted(render(self.simulation.state()))


AnyCommands.TestCase.settings = settings(max_examples=25, stateful_step_count=16, deadline=None)
TestAnyCommands = AnyCommands.TestCase


def test_another_simulation_object_sees_the_same(simulation: Simulation) -> None:
    """Commands and a live run are processes of their own; the folder is all they share."""
    simulation.occupy(RENEGADE, ["0-1"])
    assert Simulation.open(simulation.folder).state() == simulation.state()


def test_files_put_beside_the_tree_are_left_alone(simulation: Simulation) -> None:
    """A simulation takes away what it wrote and nothing else."""
    beside = Path(simulation.roots.devfs, "rngd", "mine")
    beside.write_text("kept")
    simulation.remove(RENEGADE)
    assert os.listdir(beside.parent) == ["mine"]
    assert beside.read_text() == "kept"


def test_what_a_test_broke_stays_broken_while_time_goes_on(simulation: Simulation) -> None:
    """Breaking a file by hand is how readers are tried; only what changes is written again."""
    management = Path(simulation.roots.sysfs, "class/npu_mgmt/npu0_mgmt")
    (management / "device_uuid").chmod(0o644)
    (management / "device_uuid").write_text("broken")
    simulation.advance(1)
    assert ((management / "device_uuid").read_text(), (management / "heartbeat").read_text()) == ("broken", "1\n")


def test_a_folder_that_was_taken_away_does_not_come_back_by_itself(simulation: Simulation) -> None:
    """A heartbeat does not make half a management folder."""
    management = Path(simulation.roots.sysfs, "devices/virtual/npu_mgmt/npu0_mgmt")
    for file in management.iterdir():
        file.unlink()
    management.rmdir()
    simulation.advance(1)
    assert not management.exists()


def test_a_tree_that_is_no_simulation_is_never_written_over(tmp_path: Path) -> None:
    """A recording, or somebody's own tree: create refuses and says which file is in the way."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "npu0").write_text("mine")
    with pytest.raises(FileExistsError, match="not made by a simulation") as caught:
        Simulation.create(str(tmp_path), MIXED, plain_files=True)
    assert caught.value.filename == f"{tmp_path}/dev/npu0"
    assert (tmp_path / "dev" / "npu0").read_text() == "mine"
    assert not (tmp_path / "sys" / "bus").exists()


@pytest.mark.parametrize("roots", [{"devfs_root": "/dev"}, {"sysfs_root": "/sys"}, {"sysfs_root": "/dev/../sys/."}])
def test_the_machines_own_roots_are_refused(tmp_path: Path, roots: dict[str, str]) -> None:
    """Nobody wants a simulated NPU among the machine's devices."""
    with pytest.raises(WrongRootError, match="is the machine's own"):
        Simulation.create(str(tmp_path), MIXED, plain_files=True, **roots)


def test_a_link_to_the_machines_own_root_is_refused(tmp_path: Path) -> None:
    """By whatever name."""
    (tmp_path / "dev").symlink_to("/dev")
    with pytest.raises(WrongRootError, match="is the machine's own /dev"):
        Simulation.create(str(tmp_path), MIXED, plain_files=True)


def test_roots_of_one_s_own_are_kept_in_mind(tmp_path: Path) -> None:
    """Later commands need not name them again; a new create elsewhere takes the old tree away."""
    Simulation.create(
        f"{tmp_path}/sim", MIXED, plain_files=True, devfs_root=f"{tmp_path}/d", sysfs_root=f"{tmp_path}/s"
    )
    Simulation.open(f"{tmp_path}/sim").remove(RENEGADE)
    assert (tmp_path / "d" / "npu0").exists()
    assert not (tmp_path / "d" / "rngd").exists()
    Simulation.create(f"{tmp_path}/sim", MIXED, plain_files=True)
    assert os.listdir(tmp_path / "d") == []
    assert (tmp_path / "sim" / "dev" / "npu0").exists()


def test_a_folder_without_a_simulation_is_said_to_be_one(tmp_path: Path) -> None:
    """The error tells what to do."""
    with pytest.raises(NoSimulationError, match=r"state\.json: not there; make the simulation with create first"):
        Simulation.open(str(tmp_path))


@pytest.mark.parametrize(
    ("written", "shown"),
    [("2", "2 (NORMAL 1)\n"), ("5\n", "5 (FULL 2)\n"), ("4", "4 (FULL 1)\n"), ("6", "4 (FULL 1)\n"), ("", "")],
)
def test_a_written_performance_mode_is_shown_as_the_driver_does(
    simulation: Simulation, written: str, shown: str
) -> None:
    """The number goes in, number and name come out; what the driver refuses changes nothing; empty is half written."""
    file = Path(simulation.roots.sysfs, "class/npu_mgmt/npu0_mgmt/performance_mode")
    file.write_text(written)
    simulation.advance(0)
    assert file.read_text() == shown


@pytest.mark.parametrize(("written", "shown"), [("powersave", "powersave\n"), ("turbo", "performance\n")])
def test_a_written_governor_is_shown_as_the_driver_does(simulation: Simulation, written: str, shown: str) -> None:
    """One of two words; another changes nothing."""
    file = Path(simulation.roots.sysfs, "class/rngd_mgmt/rngd!npu0mgmt/npu_governor")
    file.write_text(written)
    simulation.advance(0)
    assert file.read_text() == shown


def test_time_goes_on_by_the_seconds_of_the_clock(simulation: Simulation) -> None:
    """A live run that was held up catches up in whole seconds, and stops when told."""
    instants: Iterator[float] = iter([100.0, 100.0, 101.2, 101.3, 104.9, 105.0])
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(round(seconds, 3))
        return len(waits) == 3

    live(simulation, wait, lambda: next(instants))
    assert waits == [1.0, 0.7, 0.0]
    assert [card.heartbeat_seconds for card in simulation.state().cards] == [4, 4]


def test_commands_and_a_run_do_not_lose_each_others_changes(simulation: Simulation) -> None:
    """Two writers at once: each second counts once, and each command stays."""
    times = 30

    def pass_time() -> None:
        for _ in range(times):
            Simulation.open(simulation.folder).advance(1)

    thread = threading.Thread(target=pass_time)
    thread.start()
    for _ in range(times):
        simulation.fail(WARBOY)
        simulation.recover(WARBOY)
    simulation.occupy(RENEGADE)
    thread.join()
    state = simulation.state()
    assert (state.cards[0].faults, state.cards[1].heartbeat_seconds) == ((), times)
    assert _seen(simulation) == _wanted(render(state))


def test_device_files_are_real_where_they_can_be_made(tmp_path: Path) -> None:
    """As root character devices with the documented numbers, else plain files; the state says which."""
    simulation = Simulation.create(str(tmp_path), MIXED)
    real = make_devices(str(tmp_path))
    status = os.stat(f"{tmp_path}/dev/rngd/npu0mgmt")
    assert simulation.state().plain_files is not real
    assert stat.S_ISCHR(status.st_mode) is real
    if real:
        assert status.st_rdev == os.makedev(simulation.state().majors["renegade"][0], 0)
