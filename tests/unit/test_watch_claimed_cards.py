"""What an agent of the other plane reads of prepared claims."""

import re
from pathlib import Path

import pytest

from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.prepared import PreparedClaim, PreparedDevice, PreparedRequest
from furiosa_npu.dra_driver.prepared_document import to_text
from furiosa_npu.watch.claimed_cards import FILE, ClaimedCards, ClaimsUnknown


def claim(uid: str, card: str, *, boot_id: str = "boot-1", admin: bool = False) -> PreparedClaim:
    """Of one PE of the card."""
    device = PreparedDevice("npu", "node", f"npu-{card.lower()}-pe0", None, admin, card, card, "warboy npu0", (0,), ())
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
    claimed = ClaimedCards(str(tmp_path), "boot-1")
    assert claimed.look() == frozenset()
    write(tmp_path, claim("a1", "A"), claim("b2", "B", boot_id="boot-0"), claim("c3", "C", admin=True))
    assert [claimed.look(), claimed.look()] == [{"A"}, {"A"}]
    write(tmp_path, claim("d4", "D"))
    assert claimed.look() == {"D"}
    (tmp_path / FILE).unlink()
    assert claimed.look() == frozenset()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 1}', '{"version": 2, "claims": {}, "checksum": ""}'])
def test_what_cannot_be_read_is_not_nothing(tmp_path: Path, damage: str) -> None:
    """It is said with the file's name and what to do, each time; a damaged claim is found by the checksum."""
    claimed = ClaimedCards(str(tmp_path), "boot-1")
    write(tmp_path, claim("a1", "A"))
    path = tmp_path / FILE
    path.write_text(damage or path.read_text().replace('"A"', '"B"'))
    for _ in range(2):
        with pytest.raises(ClaimsUnknown, match=rf"{re.escape(str(path))}: .*: which cards claims hold cannot be told"):
            claimed.look()
