"""From the pool to published devices: what is said of each, and what its card's state makes of it."""

import pytest

from furiosa_npu.allocation.absent import absent
from furiosa_npu.allocation.census import Rules, Seen, census
from furiosa_npu.allocation.ledger import Given, Ledger, hand_out
from furiosa_npu.allocation.partition import PARTITIONED
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.cluster.resource_slices import Taint, Version
from furiosa_npu.dra_driver.attributes import attributes, capacity, version
from furiosa_npu.dra_driver.devices import CardDevices, LeftOut, Offering, Tainting, offering
from furiosa_npu.dra_driver.gates import Gates, admitted
from furiosa_npu.hardware.reading import Problem, Reading
from tests.unit.readings import renegade, warboy

RULES = Rules(family=None, disable=(), pe_form="fused")
EPOCH = 1769853600.0 - 10.0
"""at second 10 of the clock it is 2026-01-31T10:00:00Z"""
TIME = "2026-01-31T10:00:00Z"
DEAD = warboy(0)._replace(alive=False)


def pool_of(*cards: Reading, held: tuple[str, ...] = (), before: Pool | None = None, rules: Rules = RULES) -> Pool:
    ledger = hand_out(Ledger(), "claim", held, 0.0)
    return census(before or {}, Seen(cards), ledger, rules, 10.0, None, PARTITIONED)


def offered(pool: Pool, *held: str, tainting: Tainting | None = None) -> Offering:
    return offering(pool, held, (), tainting or Tainting(EPOCH))


def taints(found: Offering) -> dict[str, tuple[Taint, ...]]:
    return {device.name: device.taints for card in found.cards for device in card.devices}


def test_a_warboy_is_three_devices_over_two_counters() -> None:
    """The whole card takes both PEs, each partition its own."""
    found = offered(pool_of(warboy(0)))
    (card,) = found.cards
    assert (found.left_out, card.name, card.counters) == ((), "npu-warboy-0", {"pe0": 1, "pe1": 1})
    assert card.counted == {"npu-warboy-0-pe0", "npu-warboy-0-pe1"}
    assert [
        (device.name, device.attributes["partition"], device.capacity, device.consumes) for device in card.devices
    ] == [
        ("npu-warboy-0", "card", {"pe": 2}, {"npu-warboy-0": {"pe0": 1, "pe1": 1}}),
        ("npu-warboy-0-pe0", "1pe", {"pe": 1}, {"npu-warboy-0": {"pe0": 1}}),
        ("npu-warboy-0-pe1", "1pe", {"pe": 1}, {"npu-warboy-0": {"pe1": 1}}),
    ]


def test_a_renegade_is_fifteen_devices_with_their_memory() -> None:
    """By size: the card, eight PEs, four pairs, two halves."""
    (card,) = offered(pool_of(renegade(0))).cards
    kinds = [
        (device.attributes["partition"], device.capacity["pe"], device.capacity["memory"]) for device in card.devices
    ]
    pe = 6_375_342_080
    assert kinds == [("card", 8, 8 * pe), *[("1pe", 1, pe)] * 8, *[("2pe", 2, 2 * pe)] * 4, *[("4pe", 4, 4 * pe)] * 2]
    for device in card.devices:
        (counters,) = device.consumes.values()
        assert len(counters) == device.capacity["pe"]
        assert counters.items() <= card.counters.items()
        span = device.name.removeprefix("npu-renegade-0").removeprefix("-pe")
        first, _, last = (span or "0-7").partition("-")
        assert list(counters) == [f"pe{pe}" for pe in range(int(first), int(last or first) + 1)]


def test_a_device_says_what_is_known_of_its_card() -> None:
    """What is not known is left out, zero is said."""
    card = warboy(0)._replace(
        uuid="A76AAD68-6855-40B1-9E86-D080852D1C84",
        firmware_version="1.6.0, c1bebfd",
        pci_root="pci0000:00",
        hwtype="u250",
        numa_node=0,
    )
    assert attributes(card) == {
        "family": "warboy",
        "hwtype": "u250",
        "uuid": "A76AAD68-6855-40B1-9E86-D080852D1C84",
        "index": 0,
        "partition": "card",
        "driverVersion": Version("1.9.2+3def9c2"),
        "firmwareVersion": Version("1.6.0+c1bebfd"),
        "resource.kubernetes.io/pciBusID": "0000:01:00.0",
        "resource.kubernetes.io/pcieRoot": "pci0000:00",
        "resource.kubernetes.io/numaNode": 0,
    }
    unknown = Reading("renegade", None, management=False)
    assert attributes(unknown) == {"family": "renegade", "partition": "card"}
    assert capacity(renegade(0)._replace(hwtype="haps")) == {"pe": 8}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.9.2, 3def9c2", Version("1.9.2+3def9c2")),
        ("2026.4.0", Version("2026.4.0")),
        ("2024.02.1, abc", "2024.02.1, abc"),
        ("1.9", "1.9"),
        ("1.9.2, 3def 9c2", "1.9.2, 3def 9c2"),
        ("", ""),
        (None, None),
    ],
)
def test_a_version_is_one_of_semver_or_a_text(text: str | None, expected: object) -> None:
    """The API server takes nothing else for a version."""
    assert version(text) == expected


def test_an_attribute_that_is_too_long_is_left_out() -> None:
    """64 bytes at most: cut off it would name something else."""
    assert "driverVersion" not in attributes(warboy(0)._replace(driver_version="é" * 33))
    assert attributes(warboy(0)._replace(driver_version="é" * 32))["driverVersion"] == "é" * 32
    assert "driverVersion" not in attributes(warboy(0)._replace(driver_version="1.0.0, " + "a" * 60))


def _taint(state: str, value: str) -> tuple[Taint, ...]:
    return (Taint(f"npu.furiosa.ai/{state}", value, "NoSchedule", TIME),)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (warboy(0), ()),
        (DEAD, _taint("failed", "not-alive")),
        (warboy(0)._replace(problems=(Problem("p", "f", "e"),)), _taint("unreadable", "malformed")),
        (warboy(0)._replace(unanswered="/sys/x"), _taint("unreadable", "no-answer")),
        (warboy(0)._replace(management=False), _taint("starting", "missing")),
    ],
)
def test_a_state_in_which_a_card_is_not_handed_out_is_a_taint(card: Reading, expected: tuple[Taint, ...]) -> None:
    """Named after the state, its value is the sign, its time when that began."""
    assert set(taints(offered(pool_of(card))).values()) == {expected}


def test_a_card_on_probation_and_one_that_is_disabled_are_tainted() -> None:
    """They are there, and not for claims."""
    well_again = pool_of(warboy(0), before=pool_of(DEAD, before=pool_of(warboy(0))))
    assert set(taints(offered(well_again)).values()) == {_taint("probation", "probation")}
    taken_out = pool_of(warboy(0), rules=RULES._replace(disable=("npu0",)))
    assert set(taints(offered(taken_out)).values()) == {_taint("disabled", "disabled")}


def test_a_stranger_taints_what_shares_a_pe_with_its_own() -> None:
    """The rest of the card can be claimed."""
    found = taints(offered(pool_of(renegade(0)._replace(pe_occupancy=(True, *[False] * 7)))))
    expected = {"npu-renegade-0", "npu-renegade-0-pe0", "npu-renegade-0-pe0-1", "npu-renegade-0-pe0-3"}
    assert {name for name, of_device in found.items() if of_device} == expected
    assert {of_device for of_device in found.values() if of_device} == {_taint("occupied", "in-use")}


def test_what_a_claim_holds_is_not_tainted_for_it() -> None:
    """The scheduler counts its PEs."""
    held = ("npu-warboy-0-pe0",)
    assert set(taints(offered(pool_of(warboy(0), held=held), *held)).values()) == {()}


def test_what_a_pod_of_the_device_plugin_holds_is_tainted_whole() -> None:
    """No scheduler counts that: every partition of the card, until the pod ends."""
    held = ("npu-warboy-0",)
    found = offering(pool_of(warboy(0), warboy(1), held=held), held, held, Tainting(EPOCH))
    occupied = (Taint("npu.furiosa.ai/occupied", "device-plugin", "NoSchedule"),)
    assert taints(found) == {f"npu-warboy-0{part}": occupied for part in ("", "-pe0", "-pe1")} | {
        f"npu-warboy-1{part}": () for part in ("", "-pe0", "-pe1")
    }


def test_a_setting_moves_pods_away_from_cards_that_failed_or_are_gone() -> None:
    """And from no other: a driver that cannot be read may be read again."""
    held = ("npu-warboy-0", "npu-warboy-1", "npu-warboy-2")
    before = pool_of(warboy(0), warboy(1), warboy(2), held=held)
    now = pool_of(DEAD, warboy(2)._replace(unanswered="/sys/x"), held=held, before=before)
    found = taints(offered(now, *held, tainting=Tainting(EPOCH, "NoExecute")))
    assert {name: found[name] for name in held} == {
        "npu-warboy-0": (Taint("npu.furiosa.ai/failed", "not-alive", "NoExecute", TIME),),
        "npu-warboy-1": (Taint("npu.furiosa.ai/gone", "gone", "NoExecute", TIME),),
        "npu-warboy-2": (Taint("npu.furiosa.ai/unreadable", "no-answer", "NoSchedule", TIME),),
    }


def test_a_claim_s_card_that_went_while_no_driver_ran_is_published_as_gone() -> None:
    """With what the claim says of it: its pod is moved away, by setting, and everybody sees why."""
    held = "npu-warboy-0-pe0"
    card = Reading("warboy", 0, management=False, uuid="WARBOY-0", pes=(0,))
    told = {held: Given(frozenset(), frozenset({"WARBOY-0"}), card)}
    pool = pool_of(warboy(1))
    pool = {**pool, **absent(pool, [held], told.get, {}, PARTITIONED, RULES.health, 10.0)}
    found = offered(pool_of(warboy(1), held=(held,), before=pool), held)
    gone = (Taint("npu.furiosa.ai/gone", "gone", "NoSchedule", TIME),)
    assert {name: tainted for name, tainted in taints(found).items() if tainted} == {"npu-warboy-0": gone, held: gone}
    of_the_card = found.cards[0]
    assert (of_the_card.name, of_the_card.counters) == ("npu-warboy-0", {"pe0": 1, "pe1": 1})
    assert of_the_card.devices[1].attributes == {"family": "warboy", "uuid": "WARBOY-0", "index": 0, "partition": "1pe"}


def test_of_a_card_that_is_gone_what_shares_pes_with_a_claim_stays() -> None:
    """Left out, it would no longer count against the card that may come back; the rest is not there."""
    held = ("npu-warboy-0-pe0",)
    before = pool_of(warboy(0), held=held)
    found = offered(pool_of(held=held, before=before), *held)
    assert set(taints(found)) == {"npu-warboy-0", "npu-warboy-0-pe0"}
    assert [left_out.unit for left_out in found.left_out] == ["npu-warboy-0-pe1"]
    assert offered(pool_of(before=before)).cards == ()


def test_a_card_without_a_driver_is_no_device_yet() -> None:
    """Its name will be another one; with the reason."""
    pool = pool_of(Reading("warboy", None, management=False, pci_bdf="0000:3b:00.0"))
    found = offered(pool)
    assert found.cards == ()
    (left_out,) = found.left_out
    assert left_out == LeftOut("npu-0000-3b-00-0", pool["npu-0000-3b-00-0"].verdict.reason)
    assert left_out.reason.startswith("no management folder")


@pytest.mark.parametrize("uuid", ["x" * 60, "with space", "a_b", "a.b", "-", "é", "x-pe0", "x-pe0-3"])
def test_a_card_whose_uuid_makes_no_name_is_left_out_with_the_reason(uuid: str) -> None:
    """The other one is published all the same."""
    found = offered(pool_of(warboy(0, uuid=uuid), warboy(1)))
    assert [card.name for card in found.cards] == ["npu-warboy-1"]
    assert [left_out.unit for left_out in found.left_out] == [f"npu-{uuid}{part}" for part in ("", "-pe0", "-pe1")]
    assert {left_out.reason for left_out in found.left_out} == {
        f"found the name 'npu-{uuid}{part}', expected a DNS label of at most 63 characters (the driver's device_uuid)"
        for part in ("", "-pe0", "-pe1")
    }


def test_a_card_is_published_without_the_partitions_whose_names_are_too_long() -> None:
    """63 characters at most."""
    found = offered(pool_of(warboy(0, uuid="x" * 59)))
    assert [[device.name for device in card.devices] for card in found.cards] == [["npu-" + "x" * 59]]
    assert len(found.left_out) == 2


def test_a_card_that_shows_neither_uuid_nor_address_has_no_name_that_lasts() -> None:
    """Its number may be another card's tomorrow."""
    found = offered(pool_of(warboy(0)._replace(uuid=None, pci_bdf=None)))
    assert (found.cards, {left_out.reason for left_out in found.left_out}) == (
        (),
        {"the card shows neither UUID nor PCI address: it has no name that lasts"},
    )


def names(cards: tuple[CardDevices, ...], gates: Gates) -> dict[str, list[str]]:
    return {group.name: [device.name for device in group.devices] for group in admitted(cards, gates)}


def test_where_pes_are_not_counted_whole_cards_are_published_that_nobody_has_in_part() -> None:
    """Else two claims could get one PE."""
    held = ("npu-warboy-0-pe0", "npu-warboy-1")
    cards = offered(pool_of(warboy(0), warboy(1), warboy(2), held=held), *held).cards
    groups = admitted(cards, Gates(counters=False))
    assert names(cards, Gates(counters=False)) == {"npu-warboy-1": ["npu-warboy-1"], "npu-warboy-2": ["npu-warboy-2"]}
    assert {(group.counters, *device.consumes) for group in groups for device in group.devices} == {(None,)}


def test_where_taints_are_dropped_a_card_that_would_carry_one_is_left_out_whole() -> None:
    """What of it is held would no longer count against the rest."""
    cards = offered(pool_of(warboy(0), renegade(1)._replace(pe_occupancy=(True, *[False] * 7)))).cards
    both = {card.name: [device.name for device in card.devices] for card in cards}
    assert len(both) == 2
    assert names(cards, Gates()) == names(cards, Gates(counters=True, taints=True)) == both
    mixed = offered(
        pool_of(
            warboy(0), renegade(1)._replace(pe_occupancy=(True, *[False] * 7)), rules=RULES._replace(family="renegade")
        )
    ).cards
    assert names(mixed, Gates(taints=False)) == {}
    assert set(names(cards, Gates(taints=False))) == {"npu-warboy-0"}
