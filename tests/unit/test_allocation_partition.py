"""Cards cut into partitions: what each is, what a reading tells of it, and how its use concerns the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.allocation.census import Rules, Seen, census, judge_anew, look_again
from furiosa_npu.allocation.container_edits import container_edits
from furiosa_npu.allocation.ledger import Ledger, hand_out
from furiosa_npu.allocation.partition import (
    PARTITIONED,
    Partition,
    parse_unit_id,
    partition_of,
    partitions,
    restricted,
    unit_id,
)
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.hardware.reading import CardUser, PerfRegs, Problem, Reading, Roots, Sensor
from furiosa_npu.health.judge import Circumstances, judge
from furiosa_npu.health.judge import Rules as HealthRules
from tests.unit.readings import renegade, warboy

RULES = Rules(family=None, disable=(), pe_form="fused")
CARDS = st.sampled_from([warboy(0), renegade(0)])


def pool_of(
    *cards: Reading, ledger: Ledger | None = None, before: Pool | None = None, seen: Seen | None = None
) -> Pool:
    return census(before or {}, seen or Seen(cards), ledger or Ledger(), RULES, 1.0, None, PARTITIONED)


def held(*units: str) -> Ledger:
    return hand_out(Ledger(), "claim", units, 0.0)


def states(pool: Pool) -> dict[str, str]:
    """By what of the card a unit is."""
    return {partition_of(unit.card).suffix or "card": unit.verdict.state for unit in pool.values()}


def in_state(pool: Pool, state: str) -> set[str]:
    return {name for name, found in states(pool).items() if found == state}


def test_the_partitions_are_the_card_and_what_its_device_files_name() -> None:
    """A Warboy's two PEs fused are the whole card; no device file has all eight PEs of a Renegade."""
    told = {card.family: [(part.suffix, part.kind) for part in partitions(card)] for card in (warboy(), renegade())}
    assert told == {
        "warboy": [("", "card"), ("pe0", "1pe"), ("pe1", "1pe")],
        "renegade": [
            ("", "card"),
            *((f"pe{pe}", "1pe") for pe in range(8)),
            *((f"pe{span}", "2pe") for span in ("0-1", "2-3", "4-5", "6-7")),
            *((f"pe{span}", "4pe") for span in ("0-3", "4-7")),
        ],
    }
    assert partitions(Reading("renegade", None, management=False)) == (Partition("card", tuple(range(8))),)


def test_a_partition_has_the_files_that_name_no_pe_and_those_of_its_own_pes() -> None:
    """Warboy's npu0 is all PEs, and no partition's."""
    told = [[file.name for file in restricted(warboy(), (1,)).device_files]]
    told.append([file.name for file in restricted(renegade(), (2, 3)).device_files])
    assert told == [
        ["npu0pe1", "npu0ch0", "npu0ch1", "npu0ch2", "npu0ch3", "npu0_mgmt"],
        ["npu0pe2", "npu0pe3", "npu0pe2-3", "npu0bar0", "npu0ch0", "npu0mgmt"],
    ]


@given(CARDS)
def test_partitions_of_one_size_share_no_pe_and_make_up_the_card(card: Reading) -> None:
    """And so no compute file either."""
    everything = partition_of(card).pes
    for kind in {part.kind for part in partitions(card)}:
        alike = [part for part in partitions(card) if part.kind == kind]
        assert sorted(pe for part in alike for pe in part.pes) == list(everything)
        files = [file for part in alike for file in restricted(card, part.pes).compute_files]
        assert len(files) == len(set(files))


@given(CARDS, st.data())
def test_one_partition_holds_another_where_they_share_a_pe_and_nowhere_else(card: Reading, data: st.DataObject) -> None:
    """Nor any of another card."""
    one, other = (data.draw(st.sampled_from(partitions(card))) for _ in range(2))
    is_held = PARTITIONED.holds([unit_id("A-1", one)])
    assert is_held(unit_id("A-1", other)) is bool(set(one.pes) & set(other.pes))
    assert not is_held(unit_id("A-2", other))


@given(CARDS, st.data(), st.sampled_from(["A76AAD68-6855-40B1-9E86-D080852D1C84", "0000:3b:00.0", "X-PE", "pe"]))
def test_a_units_id_says_of_which_card_and_pes_it_is(card: Reading, data: st.DataObject, card_id: str) -> None:
    """There and back."""
    part = data.draw(st.sampled_from(partitions(card)))
    whole = unit_id(card_id, partitions(card)[0])
    assert parse_unit_id(unit_id(card_id, part)) == (whole, None if part.kind == "card" else part.pes)


@given(st.text())
def test_any_text_can_be_asked_whether_it_is_a_units_id(text: str) -> None:
    """What names no PEs is a card's."""
    card, pes = parse_unit_id(text)
    assert (card == text) is (pes is None)


def test_units_go_by_uuid_in_lower_case_else_by_pci_address() -> None:
    """As the API server takes a device's name."""
    card = warboy(0, uuid="A76AAD68-6855-40B1-9E86-D080852D1C84")
    assert list(pool_of(card)) == [f"npu-a76aad68-6855-40b1-9e86-d080852d1c84{part}" for part in ("", "-pe0", "-pe1")]
    assert list(pool_of(card._replace(uuid=None, pci_bdf="0000:3b:00.0"))) == [
        f"npu-0000-3b-00-0{part}" for part in ("", "-pe0", "-pe1")
    ]


FAULTY: st.SearchStrategy[dict[str, object]] = st.builds(
    dict,
    alive=st.sampled_from([True, False, None]),
    management=st.booleans(),
    problems=st.sampled_from([(), (Problem("/sys/x", "'?'", "a number"),)]),
    error_counters=st.sampled_from([(), (("Device Error", 7),)]),
    sensors=st.sampled_from([(), (Sensor("temp", 1, "PEAK", 130_000, None),)]),
    heartbeat_seconds=st.sampled_from([None, 3, 70]),
    unanswered=st.sampled_from([None, "/sys/x"]),
    throttle_reasons=st.sampled_from([None, 0x2]),
)


@given(CARDS, FAULTY, st.data())
def test_a_partition_has_every_fault_of_its_card(card: Reading, faults: dict[str, object], data: st.DataObject) -> None:
    """It is judged bad when the card is, for the same reason, and warned of with the same words."""
    before = judge(None, card._replace(heartbeat_seconds=50), Circumstances(), HealthRules(), 0.0)
    faulty = card._replace(**faults)  # type: ignore[arg-type]
    part = data.draw(st.sampled_from(partitions(card)))
    told = [
        judge(before, reading, Circumstances(), HealthRules(), 1.0)
        for reading in (faulty, restricted(faulty, part.pes))
    ]
    assert told[0]._replace(history=before.history) == told[1]._replace(history=before.history)
    kept = restricted(faulty, part.pes)._asdict()
    own = ("device_files", "busy", "pe_occupancy", "perf_regs", "pes")
    assert {name: fact for name, fact in faulty._asdict().items() if name not in own} == {
        name: fact for name, fact in kept.items() if name not in own
    }


@pytest.mark.parametrize("sign", ["occupancy", "busy", "user"])
def test_a_strangers_use_of_one_pe_leaves_the_others_to_be_handed_out(sign: str) -> None:
    """Of a Renegade's PE 5: whatever shares it is occupied."""
    card = renegade(0)
    seen = Seen((card,))
    if sign == "occupancy":
        seen = Seen((card._replace(pe_occupancy=tuple(pe == 5 for pe in range(8))),))
    elif sign == "busy":
        seen = Seen((card._replace(busy=("npu0pe5", "npu0pe4-5", "npu0pe4-7")),))
    else:
        seen = Seen((card,), {card.key: (CardUser("process 7 (python3)", (5,)),)})
    pool = pool_of(seen=seen)
    assert in_state(pool, "occupied") == {"card", "pe5", "pe4-5", "pe4-7"}
    assert in_state(pool, "idle") == {*states(pool)} - {"card", "pe5", "pe4-5", "pe4-7"}


def test_use_of_a_group_is_use_of_each_of_its_pes() -> None:
    """A Warboy's fused device alone shows registers; a process has it open, or all of the card."""
    moved = [
        warboy()._replace(perf_regs=(PerfRegs("npu0pe0-1", 0, 1, True, cycles, None, None),)) for cycles in (1000, 2000)
    ]
    pool = census(pool_of(moved[0]), Seen(moved[1:]), Ledger(), RULES, 2.0, None, PARTITIONED)
    assert states(pool) == {"card": "occupied", "pe0": "occupied", "pe1": "occupied"}
    for pes in ((0, 1), None):
        seen = Seen((warboy(),), {warboy().key: (CardUser("process 7 (python3)", pes),)})
        assert in_state(pool_of(seen=seen), "occupied") == {"card", "pe0", "pe1"}


def test_a_warboys_other_pe_is_free_while_one_counts() -> None:
    """Each PE has registers of its own."""
    moved = [
        warboy()._replace(perf_regs=(PerfRegs("npu0pe1", 1, 1, True, cycles, None, None),)) for cycles in (1000, 2000)
    ]
    pool = census(pool_of(moved[0]), Seen(moved[1:]), Ledger(), RULES, 2.0, None, PARTITIONED)
    assert states(pool) == {"card": "occupied", "pe0": "idle", "pe1": "occupied"}


def test_a_unit_is_held_when_one_that_shares_pes_with_it_is() -> None:
    """Of another card, or of other PEs, it is not."""
    ledger = held("npu-renegade-0-pe2-3")
    pool = pool_of(renegade(0), ledger=ledger)
    assert in_state(pool, "allocated") == {"card", "pe2", "pe3", "pe2-3", "pe0-3"}
    assert in_state(pool, "idle") == {*states(pool)} - {"card", "pe2", "pe3", "pe2-3", "pe0-3"}
    assert in_state(pool_of(renegade(1), ledger=ledger), "allocated") == set()
    assert in_state(pool_of(renegade(0), ledger=held("npu-renegade-0")), "idle") == set()


def test_what_is_handed_out_or_given_back_is_judged_anew_with_all_that_share_its_pes() -> None:
    """The others stay as they are."""
    seen = Seen((warboy(0), warboy(1)))
    free = pool_of(seen=seen)
    given = judge_anew(free, ["npu-warboy-0-pe0"], seen, held("npu-warboy-0-pe0"), RULES, 2.0, PARTITIONED)
    assert {unit.id for unit in given.values() if unit.verdict.state == "allocated"} == {
        "npu-warboy-0",
        "npu-warboy-0-pe0",
    }
    back = judge_anew(given, ["npu-warboy-0-pe0"], seen, Ledger(), RULES, 3.0, PARTITIONED)
    assert {unit.verdict.state for unit in back.values()} == {"idle"}


def test_the_last_look_judges_a_partition_by_its_own_pes() -> None:
    """From a reading of the whole card, made for it."""
    unit = pool_of(renegade(0))["npu-renegade-0-pe0-1"]
    looks = [renegade(0)._replace(pe_occupancy=tuple(pe == used for pe in range(8))) for used in (1, 2)]
    again = [look_again(unit, look, Seen((look,)), RULES, "renegade", 2.0, PARTITIONED) for look in looks]
    assert [(look.verdict.state, look.card.pes, len(look.card.compute_files)) for look in again] == [
        ("occupied", (0, 1), 3),
        ("idle", (0, 1), 3),
    ]
    other = renegade(0, uuid="NEW")
    gone = look_again(unit, other, Seen((other,)), RULES, "renegade", 2.0, PARTITIONED)
    assert (gone.verdict.state, gone.verdict.reason) == ("gone", "another card (NEW) is in its place")


@pytest.mark.parametrize(("card", "file"), [(renegade(0), "npu0pe4-5"), (warboy(0), "npu0pe0-1")])
def test_where_a_device_file_of_one_partition_is_missing_none_is_handed_out(card: Reading, file: str) -> None:
    """The driver has not finished: a card's fault counts for all its units, at each way to a verdict."""
    less = card._replace(device_files=tuple(one for one in card.device_files if one.name != file))
    pool = pool_of(less)
    assert set(states(pool).values()) == {"starting"}
    anew = judge_anew(pool, tuple(pool), Seen(()), Ledger(), RULES, 2.0, PARTITIONED)
    assert set(states(anew).values()) == {"starting"}
    for unit in pool_of(card).values():
        look = look_again(unit, less, Seen((less,)), RULES, card.family, 2.0, PARTITIONED)
        reason = f"device file {file} is not there: the driver has not finished"
        assert (look.verdict.state, look.verdict.reason) == ("starting", reason)


def test_a_card_whose_uuid_cannot_be_read_keeps_its_units() -> None:
    """Under other names nobody would hold them."""
    ledger = held("npu-renegade-0-pe0")
    before = pool_of(renegade(0), renegade(1), ledger=ledger)
    after = pool_of(renegade(0)._replace(uuid=None), renegade(1), ledger=ledger, before=before)
    assert set(after) == set(before)
    doubtful = [unit.id for unit in after.values() if unit.verdict.sign == "identity"]
    assert doubtful == [unit.id for unit in before.values() if unit.card_id == "RENEGADE-0"]


def test_of_a_card_that_is_gone_what_is_held_stays_known() -> None:
    """And what shares PEs with it, in the place of which another card now is."""
    ledger = held("npu-warboy-0-pe0")
    pool = pool_of(warboy(0, uuid="NEW"), ledger=ledger, before=pool_of(warboy(0), ledger=ledger))
    assert {unit.id for unit in pool.values() if unit.verdict.state == "gone"} == {"npu-warboy-0", "npu-warboy-0-pe0"}
    assert {unit.id for unit in pool.values() if unit.verdict.state == "idle"} == {
        "npu-new",
        "npu-new-pe0",
        "npu-new-pe1",
    }


def test_a_card_without_uuid_may_be_one_that_is_held_and_not_seen() -> None:
    """One that is held under an address is at that address, and no other."""
    card = warboy(0)._replace(uuid=None)
    told = {
        unit: pool_of(card, ledger=held(unit))["npu-0000-01-00-0-pe1"].verdict.sign
        for unit in ("npu-a76aad68-6855-40b1-9e86-d080852d1c84-pe0", "npu-0000-07-00-0-pe0")
    }
    assert list(told.values()) == ["identity", ""]


def test_a_card_that_is_taken_out_by_its_uuid_is_taken_out_whole() -> None:
    """So is one of the other family."""
    rules = RULES._replace(disable=("warboy-0",))
    pool = census({}, Seen((warboy(0), renegade(0))), Ledger(), rules, 1.0, None, PARTITIONED)
    assert {unit.verdict.state for unit in pool.values()} == {"disabled"}


def test_two_cards_whose_uuids_differ_in_case_alone_are_both_counted() -> None:
    """Neither hides the other; one has a name that is no DNS label."""
    pool = pool_of(warboy(0, uuid="SAME"), warboy(1, uuid="same"))
    assert [(unit.id, unit.card.index) for unit in pool.values() if unit.card.pes is None] == [
        ("npu-same", 0),
        ("npu-same'", 1),
    ]


@pytest.mark.parametrize(
    ("form", "expected"),
    [("fused", ("npu0pe0-1,npu0pe4", "pe0-1,pe4")), ("single", ("npu0pe0,npu0pe1,npu0pe4", "pe0,pe1,pe4"))],
)
def test_a_container_gets_what_its_partitions_have(form: str, expected: tuple[str, str]) -> None:
    """Two parts of one card: its name once, the files that name no PE once, and no other PE."""
    parts = [restricted(renegade(0), pes) for pes in ((4,), (0, 1))]
    edits = container_edits(parts, form, Roots("/dev", "/sys"), None)  # type: ignore[arg-type]
    names = ("NPU_DEVNAME", "NPU_PENAME", "NPU_NPUNAME")
    assert tuple(edits.environment[name] for name in names) == (*expected, "npu0")
    assert [node.container_path.removeprefix("/dev/rngd/npu0") for node in edits.device_nodes] == [
        *("pe0", "pe1", "pe0-1", "bar0", "ch0", "mgmt", "pe4")
    ]
