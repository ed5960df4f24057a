"""A simulation in a folder: `dev/` and `sys/` (the tree), `state.json` (what it shows), `lock` (one writer at a time).

Commands and a live `run` work on one folder at once: each takes the lock, reads the state, changes it, carries the
difference to the tree and writes the state back.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence

from furiosa_npu.hardware.reading import FAMILIES, Family, Roots
from furiosa_npu.simulator import controls, majors, state, state_file, writer
from furiosa_npu.simulator.nodes import Tree
from furiosa_npu.simulator.scenario import Card
from furiosa_npu.simulator.state import CardState, ChangeError, Fault, State
from furiosa_npu.simulator.tree import render


class Simulation:
    """Simulated NPUs in a folder. An NPU is named by UUID, PCI address or a name that is unique (`npu0`).

    Methods raise `UnknownNpuError` for an NPU that is not there, `ChangeError` for what a machine would not let
    happen, `OSError` where the folder cannot be written.
    """

    def __init__(self, folder: str, roots: Roots) -> None:
        self.folder = folder
        self.roots = roots

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
        simulation = cls(folder, _roots(folder, devfs_root or "dev", sysfs_root or "sys"))
        with simulation._locked():
            before = simulation._drop_old()
            os.makedirs(simulation.roots.devfs, exist_ok=True)
            os.makedirs(simulation.roots.sysfs, exist_ok=True)
            warboy_majors, renegade_majors = majors.choose_majors(_taken_majors())
            new = State(
                cards=tuple(CardState(card) for card in cards),
                plain_files=plain_files or not writer.make_devices(simulation.roots.devfs),
                warboy_majors=warboy_majors,
                renegade_majors=renegade_majors,
            )
            after = render(new)
            writer.refuse_strangers(before, after, simulation.roots)
            simulation._save(new, (devfs_root, sysfs_root))
            writer.apply(before, after, simulation.roots, new.plain_files)
        return simulation

    @classmethod
    def open(cls, folder: str, *, devfs_root: str | None = None, sysfs_root: str | None = None) -> "Simulation":
        """The simulation that `create` made in this folder; the roots it was made with, unless others are named."""
        _, (devfs, sysfs) = _load(folder)
        return cls(folder, _roots(folder, devfs_root or devfs, sysfs_root or sysfs))

    def state(self) -> State:
        """As it is now."""
        return _load(self.folder)[0]

    def change(self, change: Callable[[State], State]) -> State:
        """Take in what users wrote into the tree, then this change; the tree shows it when this returns."""
        with self._locked():
            old, roots = _load(self.folder)
            before = render(old)
            current, touched = controls.take_in(old, before, self._read)
            new = change(current)
            seen = {path: node for path, node in before.items() if path not in touched}
            writer.apply(seen, render(new), self.roots, new.plain_files)
            if new != old:
                self._save(new, roots)
            return new

    def fail(self, npu: str, fault: Fault = "not-alive") -> State:
        """The card has this fault from now on."""
        return self.change(lambda now: state.fail(now, npu, fault))

    def recover(self, npu: str) -> State:
        """The card has no fault any more."""
        return self.change(lambda now: state.recover(now, npu))

    def remove(self, npu: str) -> State:
        """The card drops off the bus."""
        return self.change(lambda now: state.remove(now, npu))

    def add(self, npu: str) -> State:
        """A card that was removed is back."""
        return self.change(lambda now: state.add(now, npu))

    def add_cards(self, cards: Sequence[Card]) -> State:
        """New cards; those of `parse_scenario(text, source, beside=[c.card for c in simulation.state().cards])`."""
        return self.change(lambda now: state.add_cards(now, cards))

    def occupy(self, npu: str, pes: Sequence[str] = ()) -> State:
        """Somebody opens device files: `0`, `pe0`, `0-3`; none named: the whole card."""
        return self.change(lambda now: state.occupy(now, npu, pes))

    def release(self, npu: str, pes: Sequence[str] = ()) -> State:
        """Whoever holds them closes them; none named: the whole card."""
        return self.change(lambda now: state.release(now, npu, pes))

    def unload_driver(self, families: Sequence[Family] = FAMILIES) -> State:
        """Device files and management folders go, the PCI devices stay."""
        return self.change(lambda now: state.unload_driver(now, families))

    def load_driver(self, families: Sequence[Family] = FAMILIES) -> State:
        """Device files and management folders are back."""
        return self.change(lambda now: state.load_driver(now, families))

    def advance(self, seconds: int) -> State:
        """Time goes on by whole seconds: heartbeats and the counters of PEs in use move."""
        return self.change(lambda now: state.advance(now, seconds))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(f"{self.folder}/lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self, path: str) -> str | None:
        try:
            with open(writer.place(path, self.roots), encoding="utf-8", errors="replace") as file:
                return file.read(4096)
        except OSError:
            return None  # the tree is open to all: what a test took away is not written to

    def _save(self, new: State, roots: tuple[str | None, str | None]) -> None:
        beside = f"{self.folder}/.state.json"
        with open(beside, "w", encoding="utf-8") as file:
            file.write(state_file.to_json(new, (roots[0] or "dev", roots[1] or "sys")))
        os.replace(beside, f"{self.folder}/state.json")

    def _drop_old(self) -> Tree:
        """What is written of an earlier simulation here: it stays where the roots are the same, else it goes."""
        try:
            old, (devfs, sysfs) = _load(self.folder)
        except ChangeError:
            return {}
        tree, roots = render(old), _roots(self.folder, devfs, sysfs)
        if roots == self.roots:
            return tree
        writer.apply(tree, {}, roots, old.plain_files)
        return {}


def _load(folder: str) -> tuple[State, tuple[str, str]]:
    path = f"{folder}/state.json"
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        raise ChangeError(f"{path}: not there; make the simulation with create first") from None
    return state_file.from_json(text, path)


def _roots(folder: str, devfs: str, sysfs: str) -> Roots:
    """Absolute roots. Raises `ChangeError` for the machine's own /dev and /sys."""
    roots = Roots(*(os.path.abspath(os.path.join(folder, root)) for root in (devfs, sysfs)))
    for root in roots:
        for real in ("/dev", "/sys"):
            if os.path.realpath(root) == real or (os.path.exists(root) and os.path.samefile(root, real)):
                raise ChangeError(f"{root}: is the machine's own {real}, expected a folder for simulated NPUs")
    return roots


def _taken_majors() -> frozenset[int]:
    try:
        with open("/proc/devices", encoding="ascii", errors="replace") as file:
            return majors.parse_taken_majors(file.read())
    except FileNotFoundError:
        return frozenset()  # no /proc here: nothing to step aside for can be seen
