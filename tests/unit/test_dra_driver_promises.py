"""Prepared claims against the promises: random histories with crashes between any two steps, reboots, two instances.

The files are real. What the kubelet and the API server know stands in the fields; the kubelet calls Unprepare when the
claim's pods have ended, and calls again until it is answered.
"""

import json
import os
import tempfile
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from furiosa_npu.allocation.partition import restricted
from furiosa_npu.cdi.specification import to_document
from furiosa_npu.dra_driver.claim import Claim, ClaimName
from furiosa_npu.dra_driver.claim_cdi import file_name, specification
from furiosa_npu.dra_driver.claim_files import ClaimFiles
from furiosa_npu.dra_driver.claim_store import ClaimStore
from furiosa_npu.dra_driver.preparation import Looked, Looks
from furiosa_npu.dra_driver.prepared import PreparedClaim, State, held_pes
from furiosa_npu.dra_driver.preparer import Fetched, Outcome, Preparer
from furiosa_npu.dra_driver.recovery import Unclear
from furiosa_npu.dra_driver.restorer import Restorer
from furiosa_npu.dra_driver.state_file import FILE_NAME, LockedState, StateError, StateFile, StateLost
from tests.unit.claims import UIDS, claim, node, result
from tests.unit.readings import warboy
from tests.unit.test_dra_driver_preparer import T, at_once

DEVICES = {"w0": (0, (0, 1)), "w0-pe0": (0, (0,)), "w0-pe1": (0, (1,)), "w1": (1, (0, 1))}
"""card, PEs"""

NAMES = [ClaimName("default", f"claim-{number}", uid) for number, uid in enumerate(UIDS[:3])]
SOME_NAMES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)
CRASH = st.none() | st.none() | st.integers(0, 6)
"""after how many steps of the disk the driver dies, if it does"""


class Killed(BaseException):
    """The process is gone in the middle of what it did."""


class Life:
    """Counts the steps of one instance's disk down to its death."""

    left: int | None = None

    def step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed


class MortalFiles(ClaimFiles):
    def __init__(self, folder: str, life: Life) -> None:
        super().__init__(folder)
        self._begun, self._life = folder, life

    def put(self, claim: PreparedClaim) -> None:
        self._life.step()
        beside = Path(self._begun, f".{file_name(claim.named.uid)}.0.new")
        beside.write_text("{")
        self._life.step()
        beside.unlink()
        super().put(claim)
        self._life.step()

    def remove(self, uid: str) -> None:
        self._life.step()
        super().remove(uid)
        self._life.step()


class MortalState(LockedState):
    def __init__(self, path: str, life: Life) -> None:
        super().__init__(path)
        self._life = life

    def write(self, state: State) -> None:
        self._life.step()
        Path(f"{self.path}.new").write_text("{")
        self._life.step()
        super().write(state)
        self._life.step()

    def keep_damaged(self) -> str:
        kept = super().keep_damaged()
        self._life.step()
        return kept


class MortalFile(StateFile):
    def __init__(self, folder: str, life: Life) -> None:
        super().__init__(folder)
        self._life = life

    @contextmanager
    def locked(self) -> Iterator[LockedState]:
        with super().locked() as locked:
            yield MortalState(locked.path, self._life)


class Pause:
    """The look lasts: others act meanwhile."""

    def __await__(self) -> Generator[None]:
        yield


class Node(RuleBasedStateMachine):
    """Two cards, three claims that come and go as the scheduler likes, and two instances of the driver."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="prepared")
        self.path = Path(self.folder.name, FILE_NAME)
        self.cdi = Path(self.folder.name, "cdi")
        self.cdi.mkdir()
        self.boot = 1
        self.numbers = [0, 1]
        """of the cards, in this boot"""
        self.bad: set[int] = set()
        self.claims: dict[ClaimName, Claim] = {}
        self.running: dict[ClaimName, PreparedClaim] = {}
        """answered in this boot: containers may hold what was answered"""
        self.looked: list[str] = []
        self.pausing = False
        self.waiting: tuple[Coroutine[Any, Any, dict[ClaimName, Outcome]], list[ClaimName]] | None = None
        self.start_drivers()

    def start_drivers(self) -> None:
        self.lives = [Life(), Life()]
        self.drivers = [self.driver(life) for life in self.lives]
        self.tidy()

    def store(self, life: Life) -> ClaimStore:
        return ClaimStore(MortalFile(self.folder.name, life), MortalFiles(str(self.cdi), life))

    def driver(self, life: Life) -> Preparer:
        return Preparer(self.store(life), node(f"boot-{self.boot}"), self.fetch, self.look, at_once)

    def restorer(self, life: Life) -> Restorer:
        return Restorer(self.store(life), node(f"boot-{self.boot}"), self.fetch, self.fetch_all, self.look, at_once)

    async def fetch(self, asked: Sequence[ClaimName]) -> Mapping[ClaimName, Fetched]:
        return {name: self.claims.get(name) for name in asked}

    async def fetch_all(self) -> Mapping[str, Claim]:
        return {name.uid: found for name, found in self.claims.items()}

    async def look(self, devices: Sequence[str]) -> Looks:
        looks = {}
        for device in devices:
            number, pes = DEVICES[device]
            card = warboy(self.numbers[number], uuid=f"CARD-{number}")
            card = card if pes == (0, 1) else restricted(card, pes)
            looks[device] = Looked(f"CARD-{number}", pes, card, "it has failed" if number in self.bad else None)
            self.looked.append(device)
        if self.pausing:
            await Pause()
        return looks

    @initialize(devices=st.tuples(*[st.sampled_from(["w0", "w0", "w0-pe0", "w1"])] * len(NAMES)))
    def all_are_allocated(self, devices: tuple[str, ...]) -> None:
        for name, device in zip(NAMES, devices, strict=True):
            self.is_allocated(name, [device])

    # --- what the cluster does -------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), devices=st.sampled_from([["w0"], ["w0-pe0"], ["w0-pe1"], ["w1"], ["w0", "w1"]]))
    def is_allocated(self, name: ClaimName, devices: list[str]) -> None:
        """Rightly or not: anew while its pods run, or what another has."""
        self.claims[name] = claim(name.name, [result(device) for device in devices], uid=name.uid)

    @rule(name=st.sampled_from(NAMES), device=st.sampled_from(list(DEVICES)))
    def is_allocated_for_admin_access(self, name: ClaimName, device: str) -> None:
        self.claims[name] = claim(name.name, [result(device, adminAccess=True)], uid=name.uid)

    @rule(name=st.sampled_from(NAMES))
    def is_deleted(self, name: ClaimName) -> None:
        self.claims.pop(name, None)

    @rule(number=st.sampled_from([0, 1]))
    def goes_bad_or_is_well_again(self, number: int) -> None:
        self.bad ^= {number}

    # --- what the kubelet does -------------------------------------------------------------------------------------

    @rule(names=SOME_NAMES, instance=st.sampled_from([0, 1]), crash=CRASH)
    def prepare(self, names: list[ClaimName], instance: int, crash: int | None) -> None:
        readable, before = self.read()
        self.looked.clear()
        outcomes = self.until_death(instance, crash, lambda: self.drivers[instance].prepare(names)) or {}
        self.answered(outcomes)
        for name, outcome in outcomes.items():
            standing = name.uid in before and before[name.uid].boot_id == f"boot-{self.boot}"
            if isinstance(outcome, PreparedClaim) and not standing:
                places = {f"CARD-{number}": f"warboy npu{place}" for number, place in enumerate(self.numbers)}
                assert all(device.place == places[device.card_id] for device in outcome.devices)
        again = [name for name in names if readable and self.is_same(before.get(name.uid), name)]
        if len(again) == len(names):
            assert not self.looked, "what was prepared in this boot is answered without a look"

    def is_same(self, prepared: PreparedClaim | None, name: ClaimName) -> bool:
        """Prepared in this boot, and as it is allocated."""
        if prepared is None or prepared.boot_id != f"boot-{self.boot}" or name not in self.claims:
            return False
        allocated = {(one.device, one.admin_access) for one in self.claims[name].results or ()}
        return allocated == {(device.device, device.admin_access) for device in prepared.devices}

    @rule(name=st.sampled_from(NAMES), steps=st.integers(1, 5))
    def dies_at_prepare(self, name: ClaimName, steps: int) -> None:
        self.prepare([name], 1, steps)

    @precondition(lambda self: self.waiting is None)
    @rule(names=SOME_NAMES, instance=st.sampled_from([0, 1]))
    def prepare_begins(self, names: list[ClaimName], instance: int) -> None:
        call = self.drivers[instance].prepare(names)
        self.pausing = True
        try:
            call.send(None)
            self.waiting = call, names
        except StopIteration as ended:
            self.answered(ended.value)
        finally:
            self.pausing = False

    @precondition(lambda self: self.waiting is not None)
    @rule()
    def prepare_ends(self) -> None:
        assert self.waiting is not None
        call, _ = self.waiting
        self.waiting = None
        try:
            call.send(None)
        except StopIteration as ended:
            self.answered(ended.value)

    @rule(names=SOME_NAMES, instance=st.sampled_from([0, 1]), crash=CRASH)
    def unprepare(self, names: list[ClaimName], instance: int, crash: int | None) -> None:
        """Its pods have ended; a Prepare that is under way for one of them was given up before."""
        self.give_up(names)
        for name in names:
            self.running.pop(name, None)
        self.until_death(instance, crash, lambda: self.drivers[instance].unprepare(names))

    def give_up(self, names: list[ClaimName]) -> None:
        if self.waiting is not None and set(self.waiting[1]) & set(names):
            self.waiting[0].close()
            self.waiting = None

    # --- what becomes of the node ----------------------------------------------------------------------------------

    @rule(keeps_files=st.booleans(), swaps=st.booleans())
    def reboots(self, keeps_files: bool, swaps: bool) -> None:
        """/run is empty then, unless the CDI folder lies elsewhere; cards may have changed numbers."""
        self.give_up(NAMES)
        self.boot += 1
        self.running.clear()
        if swaps:
            self.numbers.reverse()
        if not keeps_files:
            for path in self.cdi.iterdir():
                path.unlink()
        self.start_drivers()

    @rule()
    def the_npu_driver_is_loaded_anew(self) -> None:
        """The cards change numbers, and nobody's container is told."""
        self.numbers.reverse()

    @rule(content=st.sampled_from([None, "{"]), starts=st.booleans())
    def state_is_damaged(self, content: str | None, starts: bool) -> None:
        if content is None:
            self.path.unlink(missing_ok=True)
        else:
            self.path.write_text(content)
        if starts:
            self.a_driver_starts(None)

    @rule(crash=CRASH)
    def a_driver_starts(self, crash: int | None) -> None:
        """In the place of the first, which is gone."""
        self.give_up(NAMES)
        self.lives[0].left = crash
        with suppress(Killed):
            self.tidy()
        self.lives[0].left = None

    def tidy(self) -> None:
        restorer = self.restorer(self.lives[0])
        try:
            try:
                self.run(restorer.clean())
            except StateLost:
                self.run(restorer.rebuild())
                self.run(restorer.clean())
            self.run(restorer.end_stale())
        except (Unclear, StateLost):
            return
        readable, state = self.read()
        assert readable
        assert {name.removesuffix(".json").rpartition("_")[2] for name in os.listdir(self.cdi)} <= set(state)

    # --- the promises ----------------------------------------------------------------------------------------------

    def answered(self, outcomes: Mapping[ClaimName, Outcome]) -> None:
        for name, outcome in outcomes.items():
            if isinstance(outcome, PreparedClaim):
                if name in self.running:
                    assert outcome == self.running[name], "the same is answered as before"
                self.running[name] = outcome
                assert outcome.boot_id == f"boot-{self.boot}"

    @invariant()
    def no_pe_is_in_two_claims(self) -> None:
        holders: dict[tuple[str, int], ClaimName] = {}
        for name, prepared in self.running.items():
            for device in prepared.devices:
                for pe in () if device.admin_access else device.pes:
                    for card in (device.card_id, device.place):
                        assert holders.setdefault((card, pe), name) == name
        readable, state = self.read()
        if readable:
            in_this_boot = [prepared for prepared in state.values() if prepared.boot_id == f"boot-{self.boot}"]
            held = [pe for prepared in in_this_boot for device in prepared.devices for pe in device.held]
            assert sorted(held) == sorted(held_pes(state, f"boot-{self.boot}"))

    @invariant()
    def nothing_prepared_is_lost(self) -> None:
        readable, state = self.read()
        for name, prepared in self.running.items():
            assert not readable or state.get(name.uid) == prepared
            content = Path(self.cdi, file_name(name.uid)).read_text()
            assert json.loads(content) == to_document(specification(prepared))

    def read(self) -> tuple[bool, State]:
        """Whether the state can be read, and what it is."""
        try:
            with self.store(Life()).locked() as store:
                return True, store.read()
        except StateError:
            return False, {}

    def until_death(self, instance: int, crash: int | None, call: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        self.lives[instance].left = crash
        try:
            return self.run(call())
        except Killed:
            return None
        finally:
            self.lives[instance].left = None

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            call.send(None)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]
        raise AssertionError("it waits")

    def teardown(self) -> None:
        """When all pods have ended, nothing is left, whatever the state's file is."""
        self.give_up(NAMES)
        self.running.clear()
        self.run(self.drivers[1].unprepare(NAMES))
        self.tidy()
        assert self.read() == (True, {})
        assert os.listdir(self.cdi) == []
        self.folder.cleanup()


Node.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestNode = Node.TestCase
