"""What a driver does when it starts: leftovers go, a lost state is made out anew, and what is unclear stays shut."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from furiosa_npu.allocation.pe_form import PeForm
from furiosa_npu.dra_driver.claim import Claim, NotFetched
from furiosa_npu.dra_driver.claim_cdi import file_name
from furiosa_npu.dra_driver.recovery import Stale, Unclear
from furiosa_npu.dra_driver.restorer import Restored, Restorer
from furiosa_npu.dra_driver.state_file import StateError, StateLost
from tests.unit.claims import UIDS, claim, node, result
from tests.unit.test_dra_driver_preparer import SERVE, TRAIN, Desk, at_once, run


def _restorer(desk: Desk, boot_id: str = "boot-1", default_pe: PeForm = "fused") -> Restorer:
    async def fetch_all() -> Mapping[str, Claim | NotFetched]:
        return {name.uid: found for name, found in desk.claims.items() if found is not None}

    here = node(boot_id)._replace(pe_form=default_pe)
    return Restorer(desk.store, here, desk.fetch, fetch_all, desk.look, at_once)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.allocated(TRAIN, "npu-w0")
    desk.allocated(SERVE, "npu-w1")
    return desk


def test_on_a_node_without_anything_an_empty_state_is_made(tmp_path: Path) -> None:
    """From then on a missing file is a lost one."""
    desk = Desk(tmp_path)
    assert run(_restorer(desk).clean()) == Restored()
    assert desk.state() == {}


def test_cdi_files_without_entry_are_removed_and_strangers_files_are_not(desk: Desk) -> None:
    """What a crash left before the entry was written, whole or begun."""
    desk.prepared(TRAIN)
    for name in (file_name(UIDS[7]), f".{file_name(UIDS[8])}.0a1b.new", "furiosa.ai-npu.json"):
        (desk.cdi / name).write_text("{}")
    assert run(_restorer(desk).clean()) == Restored(files_removed=(UIDS[7],))
    assert desk.files() == ["furiosa.ai-npu.json", file_name(TRAIN.uid)]


def test_a_cdi_file_that_is_missing_is_written_again_where_its_claim_is_prepared_in_this_boot(desk: Desk) -> None:
    """A container that is started again in its pod needs it, and nobody asks for the claim then."""
    desk.prepared(TRAIN)
    path = desk.cdi / file_name(TRAIN.uid)
    content = path.read_text()
    path.unlink()
    run(_restorer(desk, "boot-2").clean())
    assert desk.files() == []
    run(_restorer(desk).clean())
    assert path.read_text() == content


@pytest.mark.parametrize("content", [None, "{"])
def test_a_lost_state_is_made_out_anew_and_the_damaged_file_is_kept(desk: Desk, content: str | None) -> None:
    """From the CDI files and the API server: claims that have no CDI file were not prepared."""
    train = desk.prepared(TRAIN)
    if content is None:
        desk.path.unlink()
    else:
        desk.path.write_text(content)
    restorer = _restorer(desk)
    with pytest.raises(StateLost):
        run(restorer.clean())
    restored = run(restorer.rebuild())
    kept_as = None if content is None else f"{desk.path}.corrupt-1"
    assert (restored.lost is not None, restored.kept_as) == (True, kept_as)
    assert desk.state() == {TRAIN.uid: train}
    assert kept_as is None or Path(kept_as).read_text() == content
    assert run(restorer.rebuild()) == Restored()


def test_what_is_made_out_is_what_the_containers_have_whatever_the_setting_says_by_now(desk: Desk) -> None:
    """`--default-pe` is another than at Prepare: the PE form is that of each claim's CDI file."""
    fused = {TRAIN.uid: desk.prepared(TRAIN)}
    desk.path.write_text("{")
    run(_restorer(desk, default_pe="single").rebuild())
    assert desk.state() == fused
    assert fused[TRAIN.uid].requests[0].environment["NPU_DEVNAME"] == "npu0pe0-1"


def test_a_damaged_state_stays_where_it_is_until_the_new_one_is_there(desk: Desk) -> None:
    """Whoever reads it meanwhile, such as the device plugin, must not take what is prepared for nothing."""
    desk.prepared(TRAIN)
    desk.path.write_text("{")
    Path(f"{desk.path}.new").mkdir()
    with pytest.raises(StateError, match="Is a directory: nothing was changed"):
        run(_restorer(desk).rebuild())
    assert desk.path.read_text() == "{"


def _gone(desk: Desk) -> str:
    del desk.claims[TRAIN]
    return f"the API server has no claim {TRAIN.uid}"


def _other_card(desk: Desk) -> str:
    desk.claims[TRAIN] = claim("train", [result("npu-w1")])
    return f"{TRAIN}: its CDI file says otherwise than its allocation and the cards do by now"


def _deallocated(desk: Desk) -> str:
    desk.claims[TRAIN] = claim("train", [result("npu-w1")])._replace(results=None)
    return f"{TRAIN} is not allocated"


def _unseen(desk: Desk) -> str:
    desk.looks = {}
    return f"{TRAIN}: npu-w0 is not seen on this node"


def _damaged(desk: Desk) -> str:
    (desk.cdi / file_name(TRAIN.uid)).write_text("{")
    return f"{TRAIN}: its CDI file says otherwise than its allocation and the cards do by now"


def _unread(desk: Desk) -> str:
    desk.claims[TRAIN] = NotFetched("kind: found 'Pod', expected ResourceClaim")
    return f"claim {TRAIN.uid}: kind: found 'Pod', expected ResourceClaim"


@pytest.mark.parametrize("change", [_unread, _gone, _other_card, _deallocated, _unseen, _damaged])
def test_while_one_claim_is_unclear_nothing_is_made_out(desk: Desk, change: Callable[[Desk], str]) -> None:
    """Its pods may run yet, with cards that nobody can name: what is known is said, and its Unprepare ends that."""
    desk.prepared(TRAIN)
    desk.path.write_text("{")
    said = change(desk)
    with pytest.raises(Unclear) as raised:
        run(_restorer(desk).rebuild())
    assert str(raised.value).startswith(said + ": nothing more is prepared until")
    assert desk.path.read_text() == "{"
    run(desk.preparer.unprepare((TRAIN,)))
    run(_restorer(desk).rebuild())
    assert desk.state() == {}


def test_what_another_boot_left_and_the_api_server_no_longer_backs_is_ended(desk: Desk) -> None:
    """Of this boot it is only told: its pods may run, and the kubelet says Unprepare. What cannot be read stays."""
    train, serve = desk.prepared(TRAIN), desk.prepared(SERVE)
    del desk.claims[TRAIN]
    said = f"{TRAIN} is prepared, and the API server no longer has it"
    assert run(_restorer(desk).end_stale()) == Restored(stale=(Stale(TRAIN.uid, said, ended=False),))
    assert desk.state() == {TRAIN.uid: train, SERVE.uid: serve}
    unasked = "kind: found 'Pod', expected ResourceClaim"
    desk.claims[SERVE] = NotFetched(unasked)
    assert run(_restorer(desk).end_stale()).unasked is None
    ended = (Stale(TRAIN.uid, said, ended=True),)
    assert run(_restorer(desk, "boot-2").end_stale()) == Restored(ended=ended, unasked=unasked)
    assert desk.state() == {SERVE.uid: serve}
    assert desk.files() == [file_name(SERVE.uid)]


def test_of_two_claims_that_share_a_pe_none_is_made_out(desk: Desk) -> None:
    """One of the files was left by a crash before its claim was answered, and nobody can say which."""
    desk.prepared(TRAIN)
    left_by_a_crash = (desk.cdi / file_name(TRAIN.uid)).read_text()
    run(desk.preparer.unprepare((TRAIN,)))
    desk.allocated(SERVE, "npu-w0")
    desk.prepared(SERVE)
    (desk.cdi / file_name(TRAIN.uid)).write_text(left_by_a_crash)
    desk.path.write_text("{")
    with pytest.raises(Unclear, match=r"npu-w0 has PEs that claim .* holds on this node: nothing more is prepared"):
        run(_restorer(desk).rebuild())
