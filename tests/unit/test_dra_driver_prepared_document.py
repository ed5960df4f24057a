"""The document of what is prepared: the same state comes out, and nothing else is taken for one."""

import json
from binascii import crc32
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.allocation.container_edits import DeviceNode, Mount
from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.fields import FieldError
from furiosa_npu.dra_driver.prepared import PreparedClaim, PreparedDevice, PreparedRequest, State
from furiosa_npu.dra_driver.prepared_document import NewerVersion, from_text, to_text
from furiosa_npu.watch.claimed_cards import FILE, ClaimedCards, canonical

TEXT = st.text(min_size=1, max_size=8)
PATHS = st.lists(st.tuples(TEXT, TEXT), max_size=3)
DEVICES = st.builds(
    PreparedDevice,
    request=TEXT,
    pool=TEXT,
    device=TEXT,
    share_id=st.none() | TEXT,
    admin_access=st.booleans(),
    card_id=TEXT,
    uuid=st.none() | TEXT,
    place=TEXT,
    pes=st.lists(st.integers(0, 255), max_size=4).map(tuple),
    device_nodes=PATHS.map(lambda paths: tuple(DeviceNode(*pair) for pair in paths)),
)
REQUESTS = st.builds(
    PreparedRequest,
    TEXT,
    st.lists(DEVICES, max_size=2).map(tuple),
    st.dictionaries(TEXT, st.text(max_size=5), max_size=3),
    PATHS.map(lambda paths: tuple(Mount(*pair) for pair in paths)),
)
CLAIMS = st.builds(
    PreparedClaim, st.builds(ClaimName, TEXT, TEXT, TEXT), TEXT, st.lists(REQUESTS, max_size=2).map(tuple)
)
STATES = st.lists(CLAIMS, max_size=3).map(lambda claims: {claim.named.uid: claim for claim in claims})


@given(state=STATES)
def test_what_was_written_is_read(state: State) -> None:
    """Whole, whatever the names are."""
    assert from_text(to_text(state)) == state


@given(state=STATES, data=st.data())
def test_a_damaged_text_is_never_taken_for_another_state(state: State, data: st.DataObject) -> None:
    """Cut off, or with a character changed: the same state, or an error."""
    text = to_text(state)
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = data.draw(st.sampled_from([text[:place], text[:place] + data.draw(st.characters()) + text[place + 1 :]]))
    try:
        read = from_text(damaged)
    except (FieldError, NewerVersion):
        return
    assert read == state


def _resealed(change: dict[str, Any]) -> str:
    """A document with a right checksum over claims that no driver wrote."""
    claims = json.loads(canonical(change))
    empty = to_text({})
    document = json.loads(empty) | {"claims": claims, "checksum": f"crc32:{crc32(canonical(claims).encode()):08x}"}
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found '', expected JSON"),
        ("[]", "the document: found [], expected an object"),
        ("{}", "version: found nothing, expected a whole number from 0"),
        ('{"version": 0}', "version: found 0, expected 1"),
        ('{"version": 1, "claims": {}}', "checksum: found nothing, expected a text"),
        ('{"version": 1, "claims": {}, "checksum": "crc32:0"}', "checksum: found 'crc32:0', expected crc32:a3a6bf43"),
        (_resealed({"u": {"namespace": "n"}}), "claims.u.name: found nothing, expected a text"),
        (_resealed({"u": {"note": 1}}), "claims.u.note: unknown key, expected namespace, name, uid, boot_id, requests"),
        (
            _resealed({"u": {"namespace": "n", "name": "c", "uid": "v", "boot_id": "b"}}),
            "claims.u.uid: found 'v', expected u",
        ),
    ],
)
def test_what_is_no_such_document_is_named(text: str, said: str) -> None:
    """The field, what was found, what was expected."""
    with pytest.raises(FieldError) as raised:
        from_text(text)
    assert said in str(raised.value)


def test_a_later_drivers_document_is_not_called_damaged() -> None:
    """Whoever goes back to an older driver is told so."""
    with pytest.raises(NewerVersion, match=r"^version: found 2, expected 1, the latest that this driver knows$"):
        from_text('{"version": 2, "anything": true}')


VERSION_1 = """
{"version": 1, "checksum": "crc32:5f151eba", "claims": {"uid-1": {
  "namespace": "default", "name": "train", "uid": "uid-1", "boot_id": "boot-1", "requests": [{
    "name": "npu",
    "devices": [
      {
        "request": "npu/large", "pool": "node-1", "device": "npu-f0c0-pe0", "share_id": "share-1",
        "admin_access": false, "card_id": "F0C0", "uuid": "F0C0", "place": "warboy npu0", "pes": [0],
        "device_nodes": [["/dev/npu0pe0", "/dev/npu0pe0"]]
      },
      {
        "request": "npu/large", "pool": "node-1", "device": "npu-0000-01-00-0", "share_id": null,
        "admin_access": true, "card_id": "0000:01:00.0", "uuid": null, "place": "renegade npu1", "pes": [0, 1],
        "device_nodes": []
      }
    ],
    "environment": {"NPU_DEVNAME": "npu0pe0"},
    "mounts": [["/usr/bin/x", "/usr/bin/x"]]
  }]
}}}
"""
"""As drivers that are out there wrote it. Whoever changes the format gives it another version, and reads this one."""


def test_a_document_of_version_1_is_read_and_written_as_ever(tmp_path: Path) -> None:
    """An older driver's, after an update; an older driver reads the newer one's, after a way back; and the device
    plugin reads either.
    """
    warboy = PreparedDevice(
        request="npu/large",
        pool="node-1",
        device="npu-f0c0-pe0",
        share_id="share-1",
        admin_access=False,
        card_id="F0C0",
        uuid="F0C0",
        place="warboy npu0",
        pes=(0,),
        device_nodes=(DeviceNode("/dev/npu0pe0", "/dev/npu0pe0"),),
    )
    renegade = PreparedDevice(
        request="npu/large",
        pool="node-1",
        device="npu-0000-01-00-0",
        share_id=None,
        admin_access=True,
        card_id="0000:01:00.0",
        uuid=None,
        place="renegade npu1",
        pes=(0, 1),
        device_nodes=(),
    )
    request = PreparedRequest(
        "npu", (warboy, renegade), {"NPU_DEVNAME": "npu0pe0"}, (Mount("/usr/bin/x", "/usr/bin/x"),)
    )
    state = {"uid-1": PreparedClaim(ClaimName("default", "train", "uid-1"), "boot-1", (request,))}
    assert from_text(VERSION_1) == state
    assert json.loads(to_text(state)) == json.loads(VERSION_1)
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_text(VERSION_1)
    assert set(ClaimedCards(str(tmp_path), str(tmp_path), "boot-1").look()) == {"F0C0"}
