"""One pool under two names: lists, refusals, preferences, and the cards that come and go."""

from furiosa_npu.allocation.census import Rules, Seen, census, look_again
from furiosa_npu.allocation.ledger import Entry, Holding, Ledger, hand_out
from furiosa_npu.allocation.partition import PARTITIONED
from furiosa_npu.allocation.pool import Offer, Pool, offers, preferred, refusal
from furiosa_npu.hardware.reading import Problem, Reading
from furiosa_npu.health.history import Standing
from tests.unit.readings import renegade, warboy

A, F = "alpha.furiosa.ai/npu", "furiosa.ai/npu"
EMPTY = Ledger()
RULES = Rules(family=None, disable=(), pe_form="fused")


def _pool(*cards: Reading, ledger: Ledger = EMPTY, before: Pool | None = None, rules: Rules = RULES) -> Pool:
    return census(before or {}, Seen(cards), ledger, rules, 1.0)


def _held(resource: str, *units: str) -> Ledger:
    return hand_out(Ledger(), resource, units, 0.0)


def test_idle_cards_are_listed_healthy_with_their_numa_node_under_both_names() -> None:
    """An unknown NUMA node is absent, not node 0."""
    pool = _pool(warboy(0, numa_node=1), warboy(1, numa_node=None))
    expected = (Offer("WARBOY-0", True, 1), Offer("WARBOY-1", True, None))
    assert (offers(pool, Ledger(), A), offers(pool, Ledger(), F)) == (expected, expected)


def test_a_card_in_use_under_one_name_is_unhealthy_under_the_other() -> None:
    """Allocatable tells the truth, capacity stays."""
    ledger = _held(A, "WARBOY-0")
    pool = _pool(warboy(0), ledger=ledger)
    assert offers(pool, ledger, A) == (Offer("WARBOY-0", True, 0),)
    assert offers(pool, ledger, F) == (Offer("WARBOY-0", False, 0),)


def test_a_held_card_that_fails_or_goes_stays_healthy_under_its_name() -> None:
    """The scheduler reckons free = allocatable - requested: one less would take a good card from the next pod."""
    ledger = _held(A, "WARBOY-0")
    first = _pool(warboy(0), ledger=ledger)
    for later in (
        _pool(warboy(0)._replace(alive=False), ledger=ledger, before=first),
        _pool(ledger=ledger, before=first),
        _pool(warboy(0), ledger=ledger, before=first, rules=RULES._replace(disable=("npu0",))),
    ):
        assert offers(later, ledger, A) == (Offer("WARBOY-0", True, 0),)
        assert offers(later, ledger, F) == (Offer("WARBOY-0", False, 0),)
        assert refusal(later, ledger, A, "WARBOY-0") is not None


def test_a_bad_card_changes_nothing_for_the_others() -> None:
    """Unhealthy beside healthy."""
    pool = _pool(warboy(0)._replace(problems=(Problem("p", "f", "e"),)), warboy(1))
    assert offers(pool, Ledger(), A) == (Offer("WARBOY-0", False, 0), Offer("WARBOY-1", True, 0))


def test_a_card_that_is_gone_and_held_by_nobody_leaves_the_list_and_keeps_its_reason() -> None:
    """Capacity goes down with it; whoever asks for it still is told why not."""
    gone = _pool(before=_pool(warboy(0)))
    assert offers(gone, Ledger(), A) == ()
    reason = refusal(gone, Ledger(), A, "WARBOY-0")
    assert reason is not None
    assert reason.startswith("alpha.furiosa.ai/npu: npu0 (WARBOY-0) is gone: ")


def test_the_second_allocate_under_one_name_is_answered_and_under_the_other_refused() -> None:
    """Under one name the kubelet's own books rule."""
    ledger = _held(A, "WARBOY-0")
    pool = _pool(warboy(0), ledger=ledger)
    assert refusal(pool, ledger, A, "WARBOY-0") is None
    assert (
        refusal(pool, ledger, F, "WARBOY-0")
        == "furiosa.ai/npu: npu0 (WARBOY-0) is in use under the name alpha.furiosa.ai/npu"
    )


def test_an_unknown_device_is_refused_with_those_that_are_known() -> None:
    """The kubelet's checkpoint may name a card that was taken out long ago."""
    assert (
        refusal(_pool(warboy(0)), Ledger(), A, "X")
        == "alpha.furiosa.ai/npu: unknown device X; known on this node: WARBOY-0"
    )


def test_a_node_with_both_families_offers_its_warboys_and_says_so_of_the_others() -> None:
    """As the labeller labels it; `--family` says otherwise."""
    pool = _pool(warboy(0), renegade(0))
    assert offers(pool, Ledger(), A) == (Offer("RENEGADE-0", False, None), Offer("WARBOY-0", True, 0))
    assert pool["RENEGADE-0"].verdict.reason == (
        "this node offers its cards of the family warboy, and this one is a renegade (--family)"
    )
    other = _pool(warboy(0), renegade(0), rules=RULES._replace(family="renegade"))
    assert {unit.id: unit.verdict.state for unit in other.values()} == {"WARBOY-0": "disabled", "RENEGADE-0": "idle"}


def test_preference_keeps_off_what_would_be_refused_and_stays_on_one_numa_node() -> None:
    """Two of three on node 1 rather than across; never one that the other name holds."""
    cards = [warboy(0, numa_node=0), warboy(1, numa_node=1), warboy(2, numa_node=1), warboy(3, numa_node=1)]
    ledger = _held(F, "WARBOY-1")
    pool = _pool(*cards, ledger=ledger)
    everything = [f"WARBOY-{index}" for index in range(4)]
    assert preferred(pool, ledger, A, everything, [], 2) == ("WARBOY-2", "WARBOY-3")
    assert preferred(pool, ledger, A, everything, [], 1) == ("WARBOY-0",)
    assert preferred(pool, ledger, A, everything, ["WARBOY-3"], 2) == ("WARBOY-3", "WARBOY-2")


def test_preference_degrades_and_never_raises() -> None:
    """Unknown ids, more than there are: still an answer."""
    pool = _pool(warboy(0))
    assert preferred(pool, Ledger(), A, ["X", "WARBOY-0"], ["Y"], 5) == ("Y", "WARBOY-0", "X")


def test_a_card_whose_uuid_cannot_be_read_keeps_its_id() -> None:
    """Else a held card would vanish from under its pod, and a stranger appear in its place."""
    first = _pool(warboy(0))
    blind = warboy(0)._replace(uuid=None, problems=(Problem("/sys/npu0_mgmt/device_uuid", "EIO", "a UUID"),))
    unloaded = Reading("warboy", None, management=False, pci_bdf="0000:01:00.0")
    for reading in (blind, unloaded):
        assert list(_pool(reading, before=first)) == ["WARBOY-0"]


def test_a_new_card_in_the_slot_is_another_unit() -> None:
    """The old id goes; nothing of it is said of the new card."""
    later = _pool(warboy(0, uuid="NEW"), before=_pool(warboy(0)))
    assert {unit.id: unit.verdict.state for unit in later.values()} == {"NEW": "idle"}


def test_a_card_without_a_uuid_goes_by_its_pci_address() -> None:
    """Early cards have none."""
    assert list(_pool(warboy(0)._replace(uuid=None))) == ["0000:01:00.0"]


def test_two_cards_that_claim_one_uuid_are_both_listed() -> None:
    """None hides the other."""
    pool = _pool(warboy(0, uuid="SAME"), warboy(1, uuid="SAME"))
    assert list(pool) == ["SAME", "0000:02:00.0"]


def test_the_last_look_sees_that_another_card_came_into_the_place() -> None:
    """Between the list and the hand-over the slot was refilled."""
    unit = _pool(warboy(0))["WARBOY-0"]
    again = look_again(unit, other := warboy(0, uuid="NEW"), Seen((other,)), RULES, "warboy", 2.0)
    assert (again.verdict.state, again.verdict.reason) == ("gone", "another card (NEW) is in its place")


def test_a_held_card_that_shows_no_uuid_any_more_keeps_its_id_and_is_not_handed_out_again() -> None:
    """Under another id nobody would hold it."""
    ledger = hand_out(EMPTY, A, ("WARBOY-0",), 0.0)
    before = _pool(warboy(0), warboy(1), ledger=ledger)
    after = _pool(warboy(0)._replace(uuid=None), warboy(1), ledger=ledger, before=before)
    assert sorted(after) == ["WARBOY-0", "WARBOY-1"]
    assert offers(after, ledger, A) == offers(before, ledger, A)
    verdict = after["WARBOY-0"].verdict
    assert (verdict.state, verdict.sign) == ("unreadable", "identity")
    assert verdict.reason == "the driver shows no UUID for npu0, expected WARBOY-0, which it was before"
    assert refusal(after, ledger, A, "WARBOY-0") is not None


def test_the_last_look_refuses_a_card_that_shows_no_uuid_any_more() -> None:
    """Its list went out when it still did."""
    unit = _pool(warboy(0))["WARBOY-0"]
    again = look_again(unit, nameless := warboy(0)._replace(uuid=None), Seen((nameless,)), RULES, "warboy", 2.0)
    assert (again.verdict.state, again.verdict.sign) == ("unreadable", "identity")


def test_after_a_restart_a_card_without_a_uuid_may_be_the_one_that_a_pod_holds() -> None:
    """Nobody remembers which it was: it is kept back until the pod has let go."""
    held = Ledger(((Holding(A, "WARBOY-0"), Entry(0.0, shown=True)),))
    nameless = warboy(0)._replace(uuid=None)
    verdict = _pool(nameless, warboy(1), ledger=held)[nameless.pci_bdf or ""].verdict
    assert (verdict.state, verdict.sign) == ("unreadable", "identity")
    assert verdict.reason.startswith("the driver shows no UUID for npu0: it may be WARBOY-0, which a pod holds")
    assert _pool(nameless, warboy(1))[nameless.pci_bdf or ""].verdict.state == "idle"


def test_after_a_restart_a_held_card_that_nobody_sees_is_listed_under_its_name() -> None:
    """One healthy card less would take a good one from the next pod; under the other name it is not there."""
    held = Ledger(((Holding(A, "WARBOY-0"), Entry(0.0, shown=True)),))
    pool = _pool(warboy(1), ledger=held)
    assert offers(pool, held, A) == (Offer("WARBOY-0", True, None), Offer("WARBOY-1", True, 0))
    assert offers(pool, held, F) == (Offer("WARBOY-1", True, 0),)


def test_a_card_that_shows_neither_uuid_nor_address_has_no_line_in_the_list() -> None:
    """npu0 is a name for people: it moves from card to card."""
    pool = _pool(warboy(0)._replace(uuid=None, pci_bdf=None, unanswered="/sys/x"), warboy(1))
    assert [offer.id for offer in offers(pool, EMPTY, A)] == ["WARBOY-1"]


def test_the_last_look_knows_that_another_card_has_the_same_uuid() -> None:
    """One reading alone does not show it."""
    seen = Seen((warboy(0, uuid="SAME"), warboy(1, uuid="SAME")))
    for unit, reading in zip(_pool(*seen.readings).values(), seen.readings, strict=True):
        verdict = look_again(unit, reading, seen, RULES, "warboy", 2.0).verdict
        assert verdict.state == "unreadable"
        assert "uuid SAME: found on warboy npu0, warboy npu1" in verdict.reason


def test_the_last_look_knows_that_a_card_without_a_uuid_may_be_one_that_a_pod_holds() -> None:
    """The list of a moment ago did not: the pod's card has just shown its own no more."""
    nameless = warboy(0)._replace(uuid=None)
    unit = _pool(nameless)["0000:01:00.0"]
    verdict = look_again(unit, nameless, Seen((nameless,)), RULES, "warboy", 2.0, lost=("WARBOY-7",)).verdict
    assert (verdict.state, verdict.sign) == ("unreadable", "identity")


def test_a_card_that_left_is_not_forgotten_when_another_gets_its_number() -> None:
    """A driver that is loaded again gives numbers anew; which slot a card was in stays."""
    first, second = warboy(0), warboy(1)
    moved = warboy(0, uuid="WARBOY-1")._replace(pci_bdf=second.pci_bdf)
    pool = _pool(moved, before=_pool(first, second))
    assert {unit.id: unit.verdict.state for unit in pool.values()} == {"WARBOY-1": "idle", "WARBOY-0": "gone"}


def test_a_card_that_was_bad_before_it_showed_its_uuid_is_on_probation_under_it() -> None:
    """It is the same card, and was not first seen good."""
    bad = warboy(0)._replace(uuid=None, problems=(Problem("/sys/npu0_mgmt/device_uuid", "EIO", "a UUID"),))
    before = _pool(bad)
    assert before["0000:01:00.0"].verdict.state == "unreadable"
    assert {unit.id: unit.verdict.state for unit in _pool(warboy(0), before=before).values()} == {
        "WARBOY-0": "probation"
    }


def test_each_part_of_a_card_that_shows_its_uuid_late_keeps_its_own_history() -> None:
    """What one PE did is not told of the other."""
    nameless = warboy(0)._replace(uuid=None)
    before = census({}, Seen((nameless,)), EMPTY, RULES, 1.0, slicing=PARTITIONED)
    flapped = before["npu-0000-01-00-0-pe1"]
    standing = Standing(True, 3, 0.5, 0.9)
    history = flapped.verdict.history._replace(standing=standing)
    before = {**before, flapped.id: flapped._replace(verdict=flapped.verdict._replace(history=history))}
    after = census(before, Seen((warboy(0),)), EMPTY, RULES, 1.0, slicing=PARTITIONED)
    assert {unit.id: unit.verdict.history.standing for unit in after.values()} == {
        "npu-warboy-0": Standing(True),
        "npu-warboy-0-pe0": Standing(True),
        "npu-warboy-0-pe1": standing,
    }


def test_a_held_card_that_nobody_sees_is_unhealthy_at_once_where_that_is_wanted() -> None:
    """As any other that is held and no longer good."""
    held = _held(A, "WARBOY-0")
    assert offers({}, held, A, held_bad_is_unhealthy=True) == (Offer("WARBOY-0", False, None),)
    assert refusal({}, held, A, "WARBOY-0") == (
        f"{A}: WARBOY-0 is held by a pod, and nothing of it is seen on this node"
    )


def test_the_last_look_knows_what_the_last_probe_said() -> None:
    """It opens no device file itself."""
    unit = _pool(warboy(0)._replace(busy=("npu0pe1",)))["WARBOY-0"]
    again = look_again(unit, reading := warboy(0), Seen((reading,)), RULES, "warboy", 2.0)
    assert again.verdict.state == "occupied"
