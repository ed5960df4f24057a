"""Cards that come, go and swap their numbers while pods have device files: who may get which."""

import asyncio

import pytest

from furiosa_npu.allocation.ledger import Given, Ledger
from furiosa_npu.allocation.partition import PARTITIONED
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.verdict import Verdict
from furiosa_npu.watch.npu_pool import Refused
from tests.unit.pool_host import NAME, Host, refused_with, restart, states_of
from tests.unit.readings import warboy


def _files_of(index: int) -> frozenset[str]:
    return frozenset(file.path for file in warboy(index).device_files)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_card_whose_uuid_comes_late_is_no_second_card(restarted: bool) -> None:
    """Handed out by its PCI address while `device_uuid` was empty, it goes by that until its pod lets it go."""
    host = Host()
    nameless = warboy()._replace(uuid=None)
    host.cards = (nameless,)
    assert host.states(100.0, 101.0)[-1] == "idle"
    address = str(nameless.pci_bdf)
    asyncio.run(host.pool.hand_over(NAME, (address,)))
    if restarted:
        ledger, host = host.pool.ledger, Host()
        host.pool.ledger = ledger  # as the kubelet's books tell it
    host.cards = (warboy(),)
    assert host.states(102.0, 103.0)[-1] == "allocated"
    assert [(offer.id, offer.healthy) for offer in host.pool.offers(NAME)] == [(address, True)]
    assert "unknown device WARBOY-0" in refused_with(host, "WARBOY-0")
    asyncio.run(host.pool.last_look(NAME, (address,)))
    host.pool.ledger = Ledger()
    host.states(104.0)
    assert [(offer.id, offer.healthy) for offer in host.pool.offers(NAME)] == [("WARBOY-0", True)]


def test_a_new_card_behind_device_files_that_a_pod_still_has_is_not_handed_out() -> None:
    """The pod of the card that was there before may open them by their numbers; when it ends, the card is anybody's."""
    host = Host()
    host.cards = (warboy(),)
    host.states(100.0)
    asyncio.run(host.pool.hand_over(NAME, ("WARBOY-0",)))
    host.cards = (warboy(uuid="NEW"),)
    host.states(101.0, 102.0)
    assert "npu0 is where WARBOY-0 was when a pod got it, and that pod has its device files yet" in refused_with(
        host, "NEW"
    )
    host.pool.ledger = Ledger()
    host.states(103.0, 110.0)
    asyncio.run(host.pool.hand_over(NAME, ("NEW",)))


def test_cards_that_swap_their_numbers_stay_with_who_has_the_files() -> None:
    """After a driver reload: the free one is where the held one was, whose own container must not start anew."""
    first, second = warboy(), warboy(index=1)
    host = Host()
    host.cards = (first, second)
    host.states(100.0)
    asyncio.run(host.pool.hand_over(NAME, ("WARBOY-0",)))
    host.cards = (warboy(index=1, uuid="WARBOY-0"), warboy(uuid="WARBOY-1"))
    host.states(101.0, 102.0)
    assert "npu0 is where WARBOY-0 was" in refused_with(host, "WARBOY-1")
    with pytest.raises(Refused, match="the device files of npu1 are others than those that its pod was given"):
        asyncio.run(host.pool.last_look(NAME, ("WARBOY-0",)))
    host.cards = (first, second)
    host.states(103.0, 110.0)
    asyncio.run(host.pool.last_look(NAME, ("WARBOY-0",)))
    asyncio.run(host.pool.hand_over("alpha.furiosa.ai/npu", ("WARBOY-1",)))


def test_cards_that_swapped_their_numbers_while_no_agent_ran_stay_with_who_has_the_files() -> None:
    """The kubelet keeps which files the pod was given; the driver was loaded anew before this agent's start."""
    host = Host(warboy(index=1, uuid="WARBOY-0"), warboy(uuid="WARBOY-1"))
    restart(host, "WARBOY-0", given={"WARBOY-0": Given(_files_of(0), frozenset({"WARBOY-0"}))})
    assert "npu0 is where WARBOY-0 was" in refused_with(host, "WARBOY-1")
    with pytest.raises(Refused, match="the device files of npu1 are others than those that its pod was given"):
        asyncio.run(host.pool.last_look(NAME, ("WARBOY-0",)))


def test_a_card_that_came_in_place_of_a_held_one_while_no_agent_ran_is_not_handed_out() -> None:
    """The held one is nowhere to be seen, and was not seen by this agent."""
    host = Host(warboy(uuid="NEW"), warboy(index=1))
    restart(host, "WARBOY-0", given={"WARBOY-0": Given(_files_of(0), frozenset({"WARBOY-0"}))})
    assert "npu0 is where WARBOY-0 was" in refused_with(host, "NEW")
    asyncio.run(host.pool.hand_over(NAME, ("WARBOY-1",)))


def test_cards_that_were_given_together_are_not_in_each_others_place() -> None:
    """The kubelet keeps the files of both in one answer."""
    host = Host(warboy(), warboy(index=1))
    both = frozenset({"WARBOY-0", "WARBOY-1"})
    given = Given(_files_of(0) | _files_of(1), both)
    restart(host, *sorted(both), given=dict.fromkeys(both, given))
    assert {unit.verdict.state for unit in host.pool.pool.values()} == {"allocated"}
    asyncio.run(host.pool.last_look(NAME, ("WARBOY-0", "WARBOY-1")))


CLAIMED = Given(
    frozenset({"npu0pe0", "npu0_mgmt"}),
    frozenset({"WARBOY-0"}),
    Reading("warboy", 0, management=False, uuid="WARBOY-0", pes=(0,)),
)
"""of a claim of one PE"""


def test_a_card_that_came_where_a_claim_s_card_was_while_no_agent_ran_is_kept_back() -> None:
    """All of it: the claim's container opens what has the files' names now; its own card's rest is free."""
    host = Host(warboy(index=1, uuid="WARBOY-0"), warboy(uuid="WARBOY-1"), slicing=PARTITIONED)
    restart(host, "npu-warboy-0-pe0", given={"npu-warboy-0-pe0": CLAIMED})
    assert states_of(host) == {
        "npu-warboy-0": "allocated",
        "npu-warboy-0-pe0": "unreadable",
        "npu-warboy-0-pe1": "idle",
        "npu-warboy-1": "unreadable",
        "npu-warboy-1-pe0": "unreadable",
        "npu-warboy-1-pe1": "unreadable",
    }


def test_a_claim_s_card_that_went_while_no_agent_ran_is_known_as_gone() -> None:
    """The card, and of its parts what is held; since when, where that is remembered."""
    since = Verdict("gone", "gone", "it was pulled", 42.0)
    host = Host(warboy(index=1), remembered={"npu-warboy-0-pe0": since}, slicing=PARTITIONED)
    restart(host, "npu-warboy-0-pe0", given={"npu-warboy-0-pe0": CLAIMED})
    assert {unit_id: state for unit_id, state in states_of(host).items() if state != "idle"} == {
        "npu-warboy-0": "gone",
        "npu-warboy-0-pe0": "gone",
    }
    part = host.pool.pool["npu-warboy-0-pe0"]
    assert (part.card_id, part.card) == ("WARBOY-0", CLAIMED.reading)
    host.cards = (warboy(), warboy(index=1))
    host.states(102.0)
    assert states_of(host)["npu-warboy-0-pe0"] != "gone"


def test_a_card_that_has_not_answered_yet_is_not_gone() -> None:
    """Its driver is slow at this agent's start: a pod would lose it for that."""
    host = Host(warboy(index=1), slicing=PARTITIONED)
    host.unread = frozenset({"warboy npu0"})
    restart(host, "npu-warboy-0-pe0", given={"npu-warboy-0-pe0": CLAIMED})
    assert "npu-warboy-0-pe0" not in host.pool.pool
    host.unread = frozenset()
    restart(host, "npu-warboy-0-pe0", given={"npu-warboy-0-pe0": CLAIMED})
    assert states_of(host)["npu-warboy-0-pe0"] == "gone"
