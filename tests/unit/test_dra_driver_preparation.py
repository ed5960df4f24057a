"""What is prepared for a claim, and every way in which it is refused."""

from typing import Any

import pytest

from furiosa_npu.allocation.container_edits import container_edits
from furiosa_npu.dra_driver.claim import Claim
from furiosa_npu.dra_driver.preparation import Looks, Refusal, check_claim, check_same, prepare, standing
from furiosa_npu.dra_driver.prepared import PreparedClaim, PreparedDevice, PreparedRequest, State
from furiosa_npu.hardware.reading import Roots
from tests.unit.claims import POOL, RENEGADES, UIDS, WARBOYS, claim, config, named, node, part, result, whole
from tests.unit.readings import warboy

HOST = Roots("/dev", "/sys")


def _prepared(of: Claim, looks: Looks = WARBOYS, state: State | None = None, boot_id: str = "boot-1") -> PreparedClaim:
    return prepare(of, check_claim(of.named, of, POOL), looks, state or {}, node(boot_id))


def test_two_cards_of_one_request_have_one_environment_that_names_both() -> None:
    """In the order of their numbers, though the scheduler named them in another."""
    card, other = warboy(0), warboy(1)
    edits = container_edits([card, other], "fused", HOST, None)
    expected = PreparedRequest(
        "npu",
        tuple(
            PreparedDevice(
                request="npu",
                pool=POOL,
                device=f"npu-w{of.index}",
                share_id=None,
                admin_access=False,
                card_id=of.uuid or "",
                uuid=of.uuid,
                place=f"warboy npu{of.index}",
                pes=(0, 1),
                device_nodes=container_edits([of], "fused", HOST, None).device_nodes,
            )
            for of in (card, other)
        ),
        edits.environment,
        (),
    )
    prepared = _prepared(claim("train", [result("npu-w1"), result("npu-w0")]))
    assert prepared == PreparedClaim(named("train"), "boot-1", (expected,))
    assert prepared.requests[0].environment["NPU_DEVNAME"] == "npu0pe0-1,npu1pe0-1"
    assert tuple(node for device in prepared.devices for node in device.device_nodes) == edits.device_nodes


def test_each_request_has_an_environment_of_its_own() -> None:
    """A container may name one of them alone; the subrequest that was chosen is no part of the request's name."""
    configs = [config({"peForm": "single", "environment": {"FURIOSA_LOG_LEVEL": "debug"}}, "large")]
    results = [result("npu-w0", "large/two"), result("npu-w1", "small")]
    large, small = _prepared(claim("train", results, configs)).requests
    assert (large.name, large.environment["NPU_DEVNAME"]) == ("large", "npu0pe0,npu0pe1")
    assert (small.name, small.environment["NPU_DEVNAME"]) == ("small", "npu1pe0-1")
    assert [request.environment.get("FURIOSA_LOG_LEVEL") for request in (large, small)] == ["debug", None]
    assert [device.request for request in (large, small) for device in request.devices] == ["large/two", "small"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"named": named("train", UIDS[1])},
            f"the API server has {UIDS[1]} under this name: the claim asked for is gone",
        ),
        ({"results": None}, "is not allocated"),
        ({"results": ()}, "has no device of this driver"),
        ({"reserved_for": ()}, "is reserved for nobody"),
        (
            {"results": claim("t", [result("npu-w0", pool="node-2"), result("npu-w1")]).results},
            "npu-w0 of pool node-2 is not on this node, whose pool is node-1",
        ),
    ],
)
def test_a_claim_that_is_not_to_be_prepared_here_is_refused(change: dict[str, Any], said: str) -> None:
    """Gone, not allocated, reserved for nobody, or of another node."""
    with pytest.raises(Refusal) as raised:
        check_claim(named("train"), claim("train", [result("npu-w0")])._replace(**change), POOL)
    assert str(raised.value).startswith(f"claim default/train ({UIDS[0]})")
    assert said in str(raised.value)


def test_every_device_that_is_not_fit_is_named_with_its_reason() -> None:
    """All at once: whoever mends one should not meet the next."""
    looks = {
        "npu-bad": whole(warboy(0), "npu0 has failed: not alive"),
        "npu-away": whole(warboy(1))._replace(card=None, refusal="npu1 is gone"),
        "npu-good": whole(warboy(2)),
    }
    with pytest.raises(Refusal) as raised:
        _prepared(claim("train", [result(f"npu-{name}") for name in ("bad", "away", "good", "none")]), looks)
    assert str(raised.value) == (
        f"claim default/train ({UIDS[0]}): npu-bad: npu0 has failed: not alive; npu-away: npu1 is gone; "
        "npu-none is no device of this node"
    )


def test_what_another_claim_holds_is_refused_and_both_are_named() -> None:
    """Even if the scheduler gave it: a pod that was deleted by force may run yet when its card is given again."""
    first = _prepared(claim("first", [result("npu-w0")]))
    with pytest.raises(Refusal) as raised:
        _prepared(claim("second", [result("npu-w0")], uid=UIDS[1]), state={UIDS[0]: first})
    assert str(raised.value) == (
        f"claim default/second ({UIDS[1]}): npu-w0 has PEs that claim default/first ({UIDS[0]}) holds on this node"
    )


def test_parts_of_a_card_go_to_two_claims_and_no_pe_to_both() -> None:
    """It is PEs that are held, whatever the devices are called."""
    card = warboy(0)
    looks = {"npu-w0": whole(card), "npu-w0-pe0": part(card, 0), "npu-w0-pe1": part(card, 1)}
    state = {UIDS[0]: _prepared(claim("first", [result("npu-w0-pe0")]), looks)}
    second = _prepared(claim("second", [result("npu-w0-pe1")], uid=UIDS[1]), looks, state)
    assert [device.pes for device in second.devices] == [(1,)]
    for device in ("npu-w0", "npu-w0-pe0"):
        with pytest.raises(Refusal, match="default/first"):
            _prepared(claim("second", [result(device)], uid=UIDS[1]), looks, state)


def test_a_card_that_has_a_held_cards_number_by_now_is_refused() -> None:
    """The driver was loaded anew within a boot: the first claim's container opens that number, whichever card it is."""
    first = _prepared(claim("first", [result("npu-w0")]))
    moved = {"npu-w0": whole(warboy(1, uuid="WARBOY-0")), "npu-w1": whole(warboy(0, uuid="WARBOY-1"))}
    for device in moved:
        with pytest.raises(Refusal, match=f"{device} has PEs that claim default/first"):
            _prepared(claim("second", [result(device)], uid=UIDS[1]), moved, {UIDS[0]: first})


def test_a_card_that_shows_no_uuid_for_a_while_is_still_held() -> None:
    """It goes by another id then, and by its old number."""
    first = _prepared(claim("first", [result("npu-w0")]))
    nameless = {"npu-0000-01-00-0": whole(warboy(0))._replace(card_id="0000:01:00.0")}
    with pytest.raises(Refusal, match="npu-0000-01-00-0 has PEs that claim default/first"):
        _prepared(claim("second", [result("npu-0000-01-00-0")], uid=UIDS[1]), nameless, {UIDS[0]: first})


def test_a_claim_with_one_pe_twice_is_refused() -> None:
    """In two requests of its own."""
    looks = {"npu-w0": whole(warboy(0)), "npu-w0-pe0": part(warboy(0), 0)}
    with pytest.raises(Refusal, match="npu-w0-pe0 has PEs of npu-w0, which the claim has too"):
        _prepared(claim("train", [result("npu-w0", "a"), result("npu-w0-pe0", "b")]), looks)


def test_admin_access_takes_nothing_and_needs_nothing_idle() -> None:
    """A monitoring pod looks on at a card in use and leaves it to the next claim; one that is gone shows nothing."""
    in_use = {"npu-w0": whole(warboy(0), "npu0 is occupied")}
    train = _prepared(claim("train", [result("npu-w0")]))
    watch = _prepared(claim("watch", [result("npu-w0", adminAccess=True)], uid=UIDS[1]), in_use, state={UIDS[0]: train})
    assert watch.devices[0].device_nodes == train.devices[0].device_nodes
    next_one = claim("next", [result("npu-w0")], uid=UIDS[2])
    assert _prepared(next_one, state={UIDS[1]: watch}).devices[0].card_id == "WARBOY-0"
    with pytest.raises(Refusal, match="npu-w0: npu0 is gone"):
        _prepared(
            claim("watch", [result("npu-w0", adminAccess=True)]),
            {"npu-w0": whole(warboy(0), "npu0 is gone")._replace(card=None)},
        )


def test_after_a_reboot_a_claim_is_prepared_anew_by_the_cards_uuid() -> None:
    """Its number may be another one; what stood in the state before holds nothing in this boot."""
    before = _prepared(claim("train", [result("npu-w0")]))
    state = {UIDS[0]: before}
    assert standing(state, before.named, "boot-1") == before
    assert standing(state, before.named, "boot-2") is None
    moved = {"npu-w0": whole(warboy(5, uuid="WARBOY-0"))}
    after = _prepared(claim("train", [result("npu-w0")]), moved, state, "boot-2")
    assert (after.devices[0].card_id, after.requests[0].environment["NPU_NPUNAME"]) == ("WARBOY-0", "npu5")
    other = _prepared(claim("other", [result("npu-w0")], uid=UIDS[1]), WARBOYS, state, "boot-2")
    assert other.devices[0].card_id == "WARBOY-0"


def test_a_claim_that_was_allocated_anew_is_not_answered_with_what_it_had() -> None:
    """It keeps its UID, and its pods of before hold the first devices until the kubelet says Unprepare."""
    before = _prepared(claim("train", [result("npu-w0")]))
    same = claim("train", [result("npu-w0")])
    check_same(before, same.results or ())
    with pytest.raises(Refusal, match=r"is prepared with npu-w0 and by now allocated npu-w1: its pods before have not"):
        check_same(before, claim("train", [result("npu-w1")]).results or ())


def test_a_part_of_a_card_is_given_with_files_and_variables_of_its_own_pes() -> None:
    """And with the card's files that name no PE, which two parts share."""
    card = warboy(0)
    looks = {"npu-w0-pe1": part(card, 1), "npu-w0-pe0": part(card, 0)}
    (request,) = _prepared(claim("train", [result(device) for device in looks]), looks).requests
    shared = ["npu0ch0", "npu0ch1", "npu0ch2", "npu0ch3", "npu0_mgmt"]
    files = [[node.container_path for node in device.device_nodes] for device in request.devices]
    assert files == [[f"/dev/{name}" for name in (f"npu0pe{pe}", *shared)] for pe in (0, 1)]
    assert request.environment == {
        "NPU_DEVNAME": "npu0pe0,npu0pe1",
        "NPU_NPUNAME": "npu0",
        "NPU_PENAME": "pe0,pe1",
        "FURIOSA_DEVICES": "npu:0:0,npu:0:1",
    }


def test_a_renegade_is_given_with_its_eight_pes() -> None:
    """The other family, and the node's form where the claim says none."""
    prepared = _prepared(claim("train", [result("npu-r0")]), RENEGADES)
    assert prepared.devices[0].pes == tuple(range(8))
    assert prepared.requests[0].environment["NPU_DEVNAME"] == "npu0pe0-3,npu0pe4-7"
