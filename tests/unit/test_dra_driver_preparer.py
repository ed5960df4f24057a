"""Prepare and Unprepare on a real folder: what is answered, what is on the disk, and what a fault leaves."""

import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pytest

from furiosa_npu.dra_driver.claim import ClaimName, NotFetched
from furiosa_npu.dra_driver.claim_cdi import file_name
from furiosa_npu.dra_driver.claim_files import ClaimFiles
from furiosa_npu.dra_driver.claim_store import ClaimStore
from furiosa_npu.dra_driver.preparation import Looks, Refusal
from furiosa_npu.dra_driver.prepared import PreparedClaim, State
from furiosa_npu.dra_driver.preparer import Fetched, Outcome, Preparer
from furiosa_npu.dra_driver.state_file import FILE_NAME, StateError, StateFile
from tests.unit.claims import UIDS, WARBOYS, claim, named, node, result, whole
from tests.unit.readings import warboy

T = TypeVar("T")

TRAIN, SERVE, GONE = named("train"), named("serve", UIDS[1]), named("gone", UIDS[2])


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """To its end; nothing in it waits for anything."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")


async def at_once(work: Callable[[], T], /) -> T:
    return work()


class Never:
    """What does not come."""

    def __await__(self) -> Any:
        yield


class Desk:
    """A node with its folders, an API server and cards that answer at once."""

    def __init__(self, folder: Path, boot_id: str = "boot-1") -> None:
        self.cdi = folder / "cdi"
        self.path = folder / FILE_NAME
        self.cdi.mkdir(exist_ok=True)
        self.store = ClaimStore(StateFile(str(folder), patience_seconds=0.0), ClaimFiles(str(self.cdi)))
        self.claims: dict[ClaimName, Fetched] = {}
        self.looks: Looks = WARBOYS
        self.looked: list[tuple[str, ...]] = []
        self.open_files: list[BinaryIO] = []
        """as long as the node is there"""
        self.preparer = Preparer(self.store, node(boot_id), self.fetch, self.look, at_once)

    async def fetch(self, asked: Sequence[ClaimName]) -> Mapping[ClaimName, Fetched]:
        return {name: self.claims.get(name) for name in asked}

    async def look(self, devices: Sequence[str]) -> Looks:
        self.looked.append(tuple(devices))
        return {device: looked for device, looked in self.looks.items() if device in devices}

    def allocated(self, name: ClaimName, *devices: str) -> None:
        self.claims[name] = claim(name.name, [result(device) for device in devices], uid=name.uid)

    def prepare(self, *asked: ClaimName) -> dict[ClaimName, Outcome]:
        return run(self.preparer.prepare(asked))

    def prepared(self, name: ClaimName) -> PreparedClaim:
        outcome = self.prepare(name)[name]
        assert isinstance(outcome, PreparedClaim), outcome
        return outcome

    def refused(self, name: ClaimName) -> str:
        outcome = self.prepare(name)[name]
        assert isinstance(outcome, Refusal), outcome
        return str(outcome)

    def state(self) -> State | None:
        with self.store.locked() as store:
            return store.state.read()

    def files(self) -> list[str]:
        return sorted(os.listdir(self.cdi))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_claim_is_looked_at_once_in_a_boot(desk: Desk) -> None:
    """The kubelet asks again for running pods when it restarts: their cards are in use by then."""
    desk.allocated(TRAIN, "npu-w0", "npu-w1")
    first = desk.prepared(TRAIN)
    desk.looks = {device: whole(warboy(0), "npu0 is occupied") for device in WARBOYS}
    assert desk.prepared(TRAIN) == first
    assert desk.looked == [("npu-w0", "npu-w1")]
    assert desk.state() == {TRAIN.uid: first}
    assert desk.files() == [file_name(TRAIN.uid)]


def test_a_missing_or_changed_cdi_file_is_written_again_without_a_look(desk: Desk) -> None:
    """By the state alone: another instance, and no API server to ask."""
    desk.allocated(TRAIN, "npu-w0")
    first = desk.prepared(TRAIN)
    path = desk.cdi / file_name(TRAIN.uid)
    content = path.read_text()
    desk.claims[TRAIN] = NotFetched("the API server is away")
    for damage in (path.unlink, lambda: path.write_text("{")):
        damage()
        assert desk.prepared(TRAIN) == first
        assert path.read_text() == content
    assert len(desk.looked) == 1


def test_a_claim_that_was_allocated_anew_is_refused_until_its_first_devices_are_let_go(desk: Desk) -> None:
    """Its pods were deleted by force: what they hold stays prepared, and the others' devices stay theirs."""
    desk.allocated(TRAIN, "npu-w0")
    first = desk.prepared(TRAIN)
    desk.allocated(TRAIN, "npu-w1")
    assert "is prepared with npu-w0 and by now allocated npu-w1" in desk.refused(TRAIN)
    assert desk.state() == {TRAIN.uid: first}
    run(desk.preparer.unprepare((TRAIN,)))
    assert desk.prepared(TRAIN).devices[0].device == "npu-w1"


def test_each_of_several_claims_has_its_own_answer(desk: Desk) -> None:
    """One gone, one that could not be fetched, one with a bad name, one of another UID, and one that is well."""
    away, bad, other = named("away", UIDS[3]), ClaimName("default", "x", "../x"), named("other", UIDS[4])
    desk.allocated(TRAIN, "npu-w0")
    desk.claims[away] = NotFetched("GET ...: nothing came within 30 s")
    desk.claims[other] = claim("other", [result("npu-w1")], uid=UIDS[5])
    outcomes = desk.prepare(TRAIN, GONE, away, bad, other)
    assert isinstance(outcomes.pop(TRAIN), PreparedClaim)
    assert {name.name: str(outcome) for name, outcome in outcomes.items()} == {
        "gone": f"{GONE} is gone: the API server has none of that name",
        "away": f"{away}: GET ...: nothing came within 30 s",
        "x": f"{bad}: uid: found '../x', expected 2 to 64 letters, digits and -, as a UUID",
        "other": f"{other}: the API server has {UIDS[5]} under this name: the claim asked for is gone",
    }
    assert desk.files() == [file_name(TRAIN.uid)]


def test_a_claim_that_is_named_twice_in_one_call_has_one_answer(desk: Desk) -> None:
    """A pod may have it under two names; the API server is asked once."""
    desk.allocated(TRAIN, "npu-w0")
    asked: list[tuple[ClaimName, ...]] = []
    fetch = desk.fetch

    async def noted(names: Sequence[ClaimName]) -> Mapping[ClaimName, Fetched]:
        asked.append(tuple(names))
        return await fetch(names)

    preparer = Preparer(desk.store, node("boot-1"), noted, desk.look, at_once)
    (outcome,) = run(preparer.prepare((TRAIN, TRAIN))).values()
    assert isinstance(outcome, PreparedClaim)
    assert asked == [(TRAIN,)]


def test_of_two_claims_in_one_call_that_share_a_pe_one_is_refused(desk: Desk) -> None:
    """The other is prepared."""
    desk.allocated(TRAIN, "npu-w0")
    desk.allocated(SERVE, "npu-w0")
    outcomes = desk.prepare(TRAIN, SERVE)
    assert isinstance(outcomes[TRAIN], PreparedClaim)
    assert str(outcomes[SERVE]) == f"{SERVE}: npu-w0 has PEs that {TRAIN} holds on this node"


def test_unprepare_is_answered_however_often_and_for_claims_never_known(desk: Desk) -> None:
    """The file goes, the entry goes, and a name that is none has nothing to lose."""
    desk.allocated(TRAIN, "npu-w0")
    desk.prepared(TRAIN)
    strange = ClaimName("default", "x", "../../etc/passwd")
    for _ in range(2):
        asked = (TRAIN, GONE, strange)
        assert run(desk.preparer.unprepare(asked)) == dict.fromkeys(asked)
        assert (desk.state(), desk.files()) == ({}, [])


def test_where_the_cdi_folder_cannot_be_written_nothing_is_prepared_and_the_file_is_named(desk: Desk) -> None:
    """A fault of one folder: the state is as it was, and the next try looks again."""
    desk.allocated(TRAIN, "npu-w0")
    with desk.store.locked() as store:
        store.state.write({})
    in_the_way = desk.cdi / file_name(TRAIN.uid)
    in_the_way.mkdir()
    assert desk.refused(TRAIN) == f"{TRAIN}: {in_the_way}: cannot be written: Is a directory"
    in_the_way.rmdir()
    assert desk.state() == {}
    desk.prepared(TRAIN)
    assert len(desk.looked) == 2


def test_where_the_state_cannot_be_written_no_claim_is_answered_and_no_cdi_file_stays(desk: Desk) -> None:
    """What stands prepared is answered all the same, and Unprepare says that it could not be done."""
    desk.allocated(TRAIN, "npu-w0")
    desk.allocated(SERVE, "npu-w1")
    train = desk.prepared(TRAIN)
    in_the_way = Path(f"{desk.path}.new")
    in_the_way.mkdir()
    outcomes = desk.prepare(TRAIN, SERVE)
    said = f"{desk.path}: Is a directory: nothing was changed"
    assert (outcomes[TRAIN], str(outcomes[SERVE])) == (train, f"{SERVE}: {said}")
    assert (desk.state(), desk.files()) == ({TRAIN.uid: train}, [file_name(TRAIN.uid)])
    outcomes_of_end = run(desk.preparer.unprepare((TRAIN, GONE)))
    told = f"{TRAIN}: {said}; the claim's CDI file is gone all the same, and the kubelet asks again"
    assert (str(outcomes_of_end[TRAIN]), outcomes_of_end[GONE], desk.files()) == (told, None, [])
    assert desk.prepared(TRAIN) == train
    in_the_way.rmdir()
    assert run(desk.preparer.unprepare((TRAIN,))) == {TRAIN: None}


def test_while_the_state_is_lost_nothing_is_prepared_and_unprepare_goes_on(desk: Desk) -> None:
    """Damaged, or missing where CDI files say that there was one. The damaged file stays as it is."""
    desk.allocated(TRAIN, "npu-w0")
    desk.allocated(SERVE, "npu-w1")
    desk.prepared(TRAIN)
    desk.path.write_text("{")
    assert desk.refused(SERVE).startswith(f"{SERVE}: {desk.path}: found '{{', expected JSON")
    assert desk.path.read_text() == "{"
    desk.path.unlink()
    assert desk.refused(SERVE) == (
        f"{SERVE}: {desk.path}: found no file, expected one, since there are CDI files of 1 claims"
    )
    assert run(desk.preparer.unprepare((TRAIN,))) == {TRAIN: None}
    desk.prepared(SERVE)


def test_a_call_that_nobody_waits_for_prepares_nothing(desk: Desk) -> None:
    """It was broken off while its thread waited for the lock: Unprepare may have gone before it."""
    desk.allocated(TRAIN, "npu-w0")
    waiting: list[Callable[[], object]] = []

    async def behind_the_lock(work: Callable[[], T], /) -> T:
        waiting.append(work)
        if len(waiting) == 2:
            await Never()
        return work()

    preparer = Preparer(desk.store, node(), desk.fetch, desk.look, behind_the_lock)
    call = preparer.prepare((TRAIN,))
    call.send(None)
    call.close()
    run(desk.preparer.unprepare((TRAIN,)))
    waiting[-1]()
    assert (desk.state(), desk.files()) == (None, [])


def test_where_there_is_no_state_and_the_cdi_folder_cannot_be_read_it_is_not_known_what_is_prepared(
    desk: Desk,
) -> None:
    """Said as of a state that cannot be read: whoever reads it is ready for that alone."""
    desk.cdi.rmdir()
    desk.cdi.write_text("in the way")
    said = (
        f"{desk.path}: found no file, and there may have been one: {desk.cdi}: Not a directory: "
        "the CDI folder cannot be read"
    )
    with desk.store.locked() as store, pytest.raises(StateError) as raised:
        store.read()
    assert str(raised.value) == said
    desk.allocated(TRAIN, "npu-w0")
    assert desk.refused(TRAIN) == f"{TRAIN}: {said}"


def test_an_unprepare_that_nobody_waits_for_ends_nothing(desk: Desk) -> None:
    """A kubelet that was started anew may have had the claim prepared meanwhile, for its next pod."""
    desk.allocated(TRAIN, "npu-w0")
    desk.prepared(TRAIN)
    waiting: list[Callable[[], object]] = []

    async def behind_the_lock(work: Callable[[], T], /) -> T:
        waiting.append(work)
        await Never()
        return work()

    call = Preparer(desk.store, node(), desk.fetch, desk.look, behind_the_lock).unprepare((TRAIN,))
    call.send(None)
    call.close()
    train = desk.prepared(TRAIN)
    waiting[-1]()
    assert (desk.state(), desk.files()) == ({TRAIN.uid: train}, [file_name(TRAIN.uid)])


def test_a_driver_that_is_closed_prepares_nothing_new_and_answers_what_stands(desk: Desk) -> None:
    """It hands its node over: running pods keep what they have, their Unprepare is served, the next are told why."""
    desk.allocated(TRAIN, "npu-w0")
    desk.allocated(SERVE, "npu-w1")
    train = desk.prepared(TRAIN)
    desk.preparer.closed = "this node's cards are handed out by the device plugin"
    assert desk.prepared(TRAIN) == train
    assert desk.refused(SERVE) == f"{SERVE}: this node's cards are handed out by the device plugin"
    assert len(desk.looked) == 1
    assert run(desk.preparer.unprepare((TRAIN,))) == {TRAIN: None}


def test_a_lost_state_is_told_with_what_making_it_out_anew_waits_for(desk: Desk) -> None:
    """In the pod's events: that the file is damaged helps nobody who could end the pod that blocks."""
    desk.allocated(TRAIN, "npu-w0")
    desk.path.write_text("{")
    desk.preparer.closed = "the API server has no claim a1: nothing more is prepared until its pods have ended"
    assert desk.refused(TRAIN) == f"{TRAIN}: {desk.preparer.closed}"


def test_a_claim_of_another_boot_is_looked_at_and_prepared_anew(tmp_path: Path) -> None:
    """Its card has another number now; the CDI file names the new files, under a new device name."""
    before = Desk(tmp_path)
    before.allocated(TRAIN, "npu-w0")
    first = before.prepared(TRAIN)
    after = Desk(tmp_path, "boot-2")
    after.allocated(TRAIN, "npu-w0")
    after.looks = {"npu-w0": whole(warboy(7, uuid="WARBOY-0"))}
    second = after.prepared(TRAIN)
    assert second.boot_id == "boot-2"
    assert second.devices[0].card_id == first.devices[0].card_id
    assert after.state() == {TRAIN.uid: second}
    assert "npu7pe0-1" in (after.cdi / file_name(TRAIN.uid)).read_text()
