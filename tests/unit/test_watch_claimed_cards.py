"""What an agent of the other plane reads of prepared claims."""

import asyncio
import re
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from furiosa_npu.agent.log import Log
from furiosa_npu.allocation.container_edits import DeviceNode
from furiosa_npu.allocation.ledger import Given, Holding, Observation
from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.claim_cdi import file_name
from furiosa_npu.dra_driver.prepared import PreparedClaim, PreparedDevice, PreparedRequest
from furiosa_npu.dra_driver.prepared_document import to_text
from furiosa_npu.watch.claimed_cards import CLAIMS, FILE, BooksWithClaims, ClaimedCards, ClaimsUnknown
from furiosa_npu.watch.conditions import Conditions


def claim(
    uid: str, card: str, npu: str = "npu0", pe: int = 0, *, boot_id: str = "boot-1", admin: bool = False
) -> PreparedClaim:
    """Of one PE of the card, which was `npu` then."""
    name, path = f"npu-{card.lower()}-pe{pe}", f"/dev/{npu}pe{pe}"
    files = (DeviceNode(path, path),)
    device = PreparedDevice("npu", "node", name, None, admin, card, card, f"warboy {npu}", (pe,), files)
    return PreparedClaim(ClaimName("default", uid, uid), boot_id, (PreparedRequest("npu", (device,), {}, ()),))


def write(folder: Path, *claims: PreparedClaim) -> None:
    """As the DRA driver does."""
    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(to_text({one.named.uid: one for one in claims}))
    beside.replace(path)


def test_cards_of_claims_of_this_boot_are_held(tmp_path: Path) -> None:
    """Not those of another boot, of which nothing runs, nor what admin access looks at; read again at each change."""
    claimed = ClaimedCards(str(tmp_path), str(tmp_path), "boot-1")
    assert claimed.look() == {}
    write(tmp_path, claim("a1", "A"), claim("b2", "B", boot_id="boot-0"), claim("c3", "C", admin=True))
    assert [set(claimed.look()), set(claimed.look())] == [{"A"}, {"A"}]
    write(tmp_path, claim("d4", "D"))
    assert set(claimed.look()) == {"D"}
    (tmp_path / FILE).unlink()
    assert claimed.look() == {}


def test_a_card_s_claims_tell_which_device_files_their_pods_have(tmp_path: Path) -> None:
    """By the number that the card had then: it may have another one by now."""
    claimed = ClaimedCards(str(tmp_path), str(tmp_path), "boot-1")
    write(tmp_path, claim("a1", "A", "npu1"), claim("a2", "A", "npu1", 1), claim("b1", "B"))
    a, b = frozenset({"npu1pe0", "npu1pe1"}), frozenset({"npu0pe0"})
    assert claimed.look() == {"A": Given(a, frozenset({"A"})), "B": Given(b, frozenset({"B"}))}


@pytest.mark.parametrize(
    ("damage", "to_do"),
    [
        *((damage, "run the DRA driver, which makes") for damage in ("", "{", "[]", '{"version": 1}')),
        ('{"version": 0, "claims": {}, "checksum": ""}', "run the DRA driver, which makes"),
        ('{"version": 2, "claims": {}, "checksum": ""}', "run agents of that version, or drain"),
    ],
)
def test_what_cannot_be_read_is_not_nothing(tmp_path: Path, damage: str, to_do: str) -> None:
    """It is said with the file's name and what to do, each time; a damaged claim is found by the checksum."""
    claimed = ClaimedCards(str(tmp_path), str(tmp_path), "boot-1")
    write(tmp_path, claim("a1", "A"))
    path = tmp_path / FILE
    path.write_text(damage or path.read_text().replace('"A"', '"B"'))
    for _ in range(2):
        with pytest.raises(ClaimsUnknown, match=rf"^{re.escape(str(path))}: .*which cards claims hold .*; {to_do}"):
            claimed.look()


def test_a_folder_in_the_files_place_is_no_work_for_the_driver(tmp_path: Path) -> None:
    """Nor is a disk that gives errors: it could not be read there either."""
    path = tmp_path / FILE
    path.mkdir(parents=True)
    reason = f"{path}: Is a directory: which cards claims hold cannot be told; drain the node and move it away"
    with pytest.raises(ClaimsUnknown, match=f"^{re.escape(reason)}$"):
        ClaimedCards(str(tmp_path), str(tmp_path), "boot-1").look()


class SilentBooks:
    """A kubelet that says nothing."""

    answered = False
    containers: ClassVar[dict[Holding, Any]] = {}

    async def at_start(self) -> Observation:
        return Observation(0.0, None, None, recorded_is_current=False)


def test_a_running_agent_says_that_the_file_cannot_be_read_any_more(tmp_path: Path) -> None:
    """What it said last stays in force; before it was read, whoever waits for it says so."""
    conditions = Conditions(Log(write=lambda _: None))
    claimed = ClaimedCards(str(tmp_path), str(tmp_path), "boot-1")
    books = BooksWithClaims(cast(Any, SilentBooks()), claimed, conditions)
    path = tmp_path / FILE
    path.parent.mkdir(parents=True)
    path.write_text("{")
    asyncio.run(books.at_start())
    assert conditions.troubles() == ()
    write(tmp_path, claim("a1", "A"))
    held = asyncio.run(books.at_start()).recorded
    path.write_text("{")
    assert asyncio.run(books.at_start()).recorded == held == frozenset({Holding(CLAIMS, "A")})
    ((part, reason),) = conditions.troubles()
    assert part == "claims"
    assert reason.endswith("remove the file. What it said last stays in force as long as this agent runs")
    write(tmp_path, claim("a1", "A"))
    asyncio.run(books.at_start())
    assert conditions.troubles() == ()


def test_a_file_that_is_missing_is_not_nothing_where_claims_have_cdi_files(tmp_path: Path) -> None:
    """The driver makes it before the first of them: somebody has removed it, and their pods run."""
    claimed = ClaimedCards(str(tmp_path), str(tmp_path / "cdi"), "boot-1")
    write(tmp_path, claim("a1", "A"))
    (tmp_path / "cdi").mkdir()
    (tmp_path / "cdi" / "furiosa.ai-npu.json").write_text("{}")
    (tmp_path / "cdi" / file_name("a1")).write_text("{}")
    assert set(claimed.look()) == {"A"}
    (tmp_path / FILE).unlink()
    with pytest.raises(ClaimsUnknown, match=r"found no file, expected one, since there are CDI files of 1 claims in "):
        claimed.look()
    (tmp_path / "cdi" / file_name("a1")).unlink()
    assert claimed.look() == {}
