"""A simulation in a folder: `dev/` and `sys/` (the tree), `state.json` (what it shows), `lock` (one writer at a time).

Commands and a live `run` work on one folder at once: each takes the lock, reads the state, changes it, carries the
difference to the tree and writes the state back.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence

from furiosa_npu.hardware.reading import FAMILIES, Family, Roots
from furiosa_npu.simulator import changes, controls, majors, state_file, writer
from furiosa_npu.simulator.card import Card
from furiosa_npu.simulator.nodes import Tree
from furiosa_npu.simulator.state import CardState, State
from furiosa_npu.simulator.tree import render


class NoSimulationError(LookupError):
    """The user named a folder in which no simulation was made."""


class WrongRootError(ValueError):
    """The user named the machine's own /dev or /sys as the place of simulated devices."""


class Simulation:
    """Simulated NPUs in a folder. An NPU is named by UUID, PCI address or a name that is unique (`npu0`).

    Methods raise `NoSimulationError`, `UnknownNpuError` and `FaultError` for what is not there, `ScenarioError` for a
    value that cannot be, `ChangeError` for what a machine would not let happen, `WrongRootError` for the machine's own
    /dev and /sys, `OSError` where the folder cannot be written.
    """

    def __init__(self, folder: str, devfs_root: str | None = None, sysfs_root: str | None = None) -> None:
        self.folder = folder
        self._named_roots = (devfs_root, sysfs_root)

    @property
    def roots(self) -> Roots:
        """Where the tree lies: as named, else as `create` was told, else `dev` and `sys` in the folder."""
        return self._where(_load(self.folder)[1])

    @classmethod
    def create(
        cls,
        folder: str,
        cards: Sequence[Card],
        *,
        plain_files: bool = False,
        devfs_root: str | None = None,
        sysfs_root: str | None = None,
    ) -> "Simulation":
        """Write the tree of these cards, in place of the simulation that may be in the folder already.

        Device files are real ones where this process may make them, plain files otherwise or with `plain_files`.
        """
        os.makedirs(folder, exist_ok=True)
        simulation = cls(folder, devfs_root, sysfs_root)
        stored = (
            os.path.abspath(devfs_root) if devfs_root else "dev",
            os.path.abspath(sysfs_root) if sysfs_root else "sys",
        )
        roots = simulation._where(stored)
        with simulation._locked():
            before = _drop_old(folder, roots)
            os.makedirs(roots.devfs, exist_ok=True)
            os.makedirs(roots.sysfs, exist_ok=True)
            new = State(
                cards=tuple(CardState(card) for card in cards),
                plain_files=plain_files or not writer.make_devices(roots.devfs),
                majors=majors.choose_majors(_taken_majors()),
            )
            after = render(new)
            writer.refuse_strangers(before, after, roots)
            simulation._save(new, stored)
            writer.apply(before, after, roots, new.plain_files, changed_by_others=after)
        return simulation

    @classmethod
    def open(cls, folder: str, *, devfs_root: str | None = None, sysfs_root: str | None = None) -> "Simulation":
        """The simulation that `create` made in this folder; the roots it was made with, unless others are named."""
        simulation = cls(folder, devfs_root, sysfs_root)
        simulation.state()
        return simulation

    def state(self) -> State:
        """As it is now."""
        return _load(self.folder)[0]

    def change(self, change: Callable[[State], State]) -> State:
        """Take in what users wrote into the tree, then this change; the tree shows it when this returns."""
        with self._locked():
            old, stored = _load(self.folder)
            roots = self._where(stored)
            before = render(old)
            current, touched = controls.take_in(old, before, lambda path: _read(writer.place(path, roots)))
            new = change(current)
            writer.apply(before, render(new), roots, new.plain_files, changed_by_others=touched)
            if new != old:
                self._save(new, stored)
            return new

    def fail(self, npu: str, fault: str = "not-alive") -> State:
        """The card has this fault, `NAME` or `NAME=VALUE` (`faults.KINDS`), from now on."""
        return self.change(lambda now: changes.fail(now, npu, fault))

    def recover(self, npu: str, fault: str | None = None) -> State:
        """The card has no fault any more; with `fault`, none of that name, or not that one."""
        return self.change(lambda now: changes.recover(now, npu, fault))

    def remove(self, npu: str) -> State:
        """The card drops off the bus."""
        return self.change(lambda now: changes.remove(now, npu))

    def add(self, npu: str) -> State:
        """A card that was removed is back."""
        return self.change(lambda now: changes.add(now, npu))

    def add_cards(self, cards: Sequence[Card]) -> State:
        """New cards; those of `parse_scenario(text, source, beside=[c.card for c in simulation.state().cards])`."""
        return self.change(lambda now: changes.add_cards(now, cards))

    def renumber(self, npu: str, index: int) -> State:
        """The driver gives the card another number."""
        return self.change(lambda now: changes.renumber(now, npu, index))

    def replace(self, npu: str, uuid: str | None = None) -> State:
        """Another card in the same slot with the same number; the old one's device files go before its own come."""
        changes.replace(self.state(), npu, uuid)  # what cannot be is refused before anything changes
        self.change(lambda now: changes.remove(now, npu))
        return self.change(lambda now: changes.replace(now, npu, uuid))

    def occupy(self, npu: str, pes: Sequence[str] = ()) -> State:
        """Somebody opens device files: `0`, `pe0`, `0-3`; none named: the whole card."""
        return self.change(lambda now: changes.occupy(now, npu, pes))

    def release(self, npu: str, pes: Sequence[str] = ()) -> State:
        """Whoever holds them closes them; none named: the whole card."""
        return self.change(lambda now: changes.release(now, npu, pes))

    def unload_driver(self, families: Sequence[Family] = FAMILIES) -> State:
        """Device files and management folders go, the PCI devices stay."""
        return self.change(lambda now: changes.unload_driver(now, families))

    def load_driver(self, families: Sequence[Family] = FAMILIES) -> State:
        """Device files and management folders are back."""
        return self.change(lambda now: changes.load_driver(now, families))

    def advance(self, seconds: int) -> State:
        """Time goes on by whole seconds: heartbeats and the counters of PEs in use move."""
        return self.change(lambda now: changes.advance(now, seconds))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(f"{self.folder}/lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _where(self, stored: tuple[str, str]) -> Roots:
        folders = [os.path.join(self.folder, root) for root in stored]
        devfs, sysfs = (named or folder for named, folder in zip(self._named_roots, folders, strict=True))
        return _roots(devfs, sysfs)

    def _save(self, new: State, stored: tuple[str, str]) -> None:
        beside = f"{self.folder}/.state.json"
        with open(beside, "w", encoding="utf-8") as file:
            file.write(state_file.to_json(new, stored))
        os.replace(beside, f"{self.folder}/state.json")


def _drop_old(folder: str, roots: Roots) -> Tree:
    """What is written of an earlier simulation here: it stays where the roots are the same, else it goes."""
    try:
        old, (devfs, sysfs) = _load(folder)
    except NoSimulationError:
        return {}
    tree, old_roots = render(old), _roots(os.path.join(folder, devfs), os.path.join(folder, sysfs))
    if old_roots == roots:
        return tree
    writer.apply(tree, {}, old_roots, old.plain_files)
    return {}


def _load(folder: str) -> tuple[State, tuple[str, str]]:
    path = f"{folder}/state.json"
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        raise NoSimulationError(f"{path}: not there; make the simulation with create first") from None
    return state_file.from_json(text, path)


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4096)
    except OSError:
        return None  # the tree is open to all: what somebody took away is not written to


def _roots(devfs: str, sysfs: str) -> Roots:
    """Absolute roots. Raises `WrongRootError` for the machine's own /dev and /sys."""
    roots = Roots(*(os.path.abspath(root) for root in (devfs, sysfs)))
    for root in roots:
        for real in ("/dev", "/sys"):
            if os.path.realpath(root) == real or (os.path.exists(root) and os.path.samefile(root, real)):
                raise WrongRootError(f"{root}: is the machine's own {real}, expected a folder for simulated NPUs")
    return roots


def _taken_majors() -> frozenset[int]:
    try:
        with open("/proc/devices", encoding="ascii", errors="replace") as file:
            return majors.parse_taken_majors(file.read())
    except FileNotFoundError:
        return frozenset()  # no /proc here: nothing to step aside for can be seen
