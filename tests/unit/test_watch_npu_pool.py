"""The pool over time: what is judged when, on a clock in the tests' hands."""

import asyncio
from typing import Any, cast

import pytest

from furiosa_npu.allocation.census import Rules
from furiosa_npu.allocation.ledger import Entry, Given, Holding, Ledger, Observation
from furiosa_npu.allocation.partition import PARTITIONED
from furiosa_npu.allocation.slicing import WHOLE_CARDS, Slicing
from furiosa_npu.hardware.reading import CardUser, PerfRegs, Reading
from furiosa_npu.health.history import NEW, Standing
from furiosa_npu.health.recall import Recalled
from furiosa_npu.health.verdict import Verdict
from furiosa_npu.watch.npu_pool import JUDGED_SECONDS, NpuPool, Refused
from tests.unit.readings import warboy

NAME = "furiosa.ai/npu"


class Host:
    """Cards that are told as `CardReadings` tells them: the same object where nothing changed."""

    def __init__(
        self,
        *cards: Reading,
        remembered: dict[str, Verdict] | None = None,
        known: dict[str, Reading] | None = None,
        probe: bool = False,
        slicing: Slicing = WHOLE_CARDS,
    ) -> None:
        self.cards = cards
        self.unread: frozenset[str] | None = frozenset()
        self.awaited: frozenset[str] = frozenset()
        self.now = 100.0
        self.users: tuple[CardUser, ...] = ()
        """who has the cards open"""
        self._seen_users: tuple[CardUser, ...] = ()
        self.probed: list[frozenset[str]] = []
        self.lists: list[tuple[tuple[str, bool], ...]] = []
        """under NAME, at each change: id, and whether it is healthy"""
        self.pool = NpuPool(
            cast(Any, self),
            cast(Any, self),
            Rules(family=None, disable=(), pe_form="fused"),
            Recalled(remembered or {}, known or {}),
            ("furiosa.ai/npu",),
            lambda: self.now,
            self._changed,
            probe=probe,
            held_bad_is_unhealthy=False,
            slicing=slicing,
        )

    def _changed(self) -> None:
        self.lists.append(tuple((offer.id, offer.healthy) for offer in self.pool.offers(NAME)))

    async def all(self, *, anew: bool, probe: frozenset[str]) -> tuple[Reading, ...]:
        assert not anew
        self.probed.append(probe)
        return self.cards

    async def one(self, card: Reading) -> Reading:
        return next((now for now in self.cards if now.key == card.key), self.cards[0])

    async def look(self, *, anew: bool) -> None:
        """As `OutsideUsers`: all processes are looked at where that is wanted, and each ten seconds."""
        if anew:
            self._seen_users = self.users

    def of_cards(self, cards: tuple[Reading, ...]) -> dict[str, tuple[CardUser, ...]]:
        return {card.key: self._seen_users for card in cards} if self._seen_users else {}

    def states(self, *times: float) -> list[str]:
        """Of the first card, after looks at these times."""
        told: list[str] = []
        for self.now in times:
            asyncio.run(self.pool.scan(anew=False, users_anew=False))
            told.append(next(iter(self.pool.pool.values())).verdict.state)
        return told


def test_a_firmware_that_hangs_is_found_out_though_nothing_else_changes() -> None:
    """Time alone tells that a heartbeat stands still: on a node of one card no reading is another than the last."""
    host = Host(warboy()._replace(heartbeat_seconds=5))
    host.states(100.0)
    host.cards = (warboy()._replace(heartbeat_seconds=6),)
    times = [101.0 + second for second in range(40)]
    found = dict(zip(times, host.states(*times), strict=True))
    assert [found[time] for time in (101.0, 130.0)] == ["idle", "idle"]
    assert {found[time] for time in times if time >= 131.0 + JUDGED_SECONDS} == {"failed"}


def test_what_is_remembered_of_a_card_that_was_not_seen_yet_is_kept() -> None:
    """It may be the driver's next word: until then the file says of it what it said."""
    away = Verdict("failed", "not-alive", "not alive", 5.0)
    host = Host(warboy(), remembered={"AWAY": away, "WARBOY-0": away})
    host.states(100.0)
    assert host.pool.verdicts["AWAY"] == away
    assert host.pool.verdicts["WARBOY-0"] == host.pool.pool["WARBOY-0"].verdict


def test_a_hand_over_between_two_rare_looks_is_no_news_of_a_heartbeat() -> None:
    """With `--cycle-seconds 60` the last reading is old; that it stood still was not seen by anybody."""
    host = Host()
    for now in (100, 160):
        host.cards = (warboy()._replace(heartbeat_seconds=now),)
        host.states(float(now))
    host.now = 200.0
    host.cards = (warboy()._replace(heartbeat_seconds=200),)

    async def story() -> None:
        await host.pool.hand_over("furiosa.ai/npu", ("WARBOY-0",))
        await asyncio.sleep(0.05)

    asyncio.run(story())
    verdict = host.pool.pool["WARBOY-0"].verdict
    assert (verdict.state, verdict.reason) == ("allocated", "")


def test_a_card_in_use_whose_driver_is_slow_is_in_use_until_it_answers() -> None:
    """Its counter was read a while ago: that it stands still since, nobody has seen."""
    host = Host()
    for now in (100, 101):
        regs = PerfRegs("npu0pe0-1", 0, 1, True, now, None, None)
        host.cards = (warboy()._replace(perf_regs=(regs,)),)
        told = host.states(float(now))
    assert told == ["occupied"]
    host.awaited = frozenset({host.cards[0].key})
    assert host.states(102.0, 103.0, 104.0) == ["occupied"] * 3
    host.awaited = frozenset()
    assert host.states(105.0) == ["idle"]


def test_a_card_that_is_let_go_while_its_driver_is_slow_is_in_use_until_it_answers() -> None:
    """Nothing else changes meanwhile: looks that bring no news do not make what was read any newer."""
    host = Host()
    for now in (100, 101):
        host.cards = (warboy()._replace(perf_regs=(PerfRegs("npu0pe0-1", 0, 1, True, now, None, None),)),)
        if now == 101:
            host.pool.ledger = Ledger(((Holding(NAME, "WARBOY-0"), Entry(100.5, shown=True)),))
        told = host.states(float(now))
    assert told == ["allocated"]
    host.awaited = frozenset({host.cards[0].key})
    assert host.states(102.0, 103.0, 104.0) == ["allocated"] * 3
    host.pool.settle(Observation(104.0, frozenset(), frozenset(), recorded_is_current=True))
    host.pool.judge()
    assert host.pool.pool["WARBOY-0"].verdict.state == "occupied"


class Turnover(Host):
    """A Warboy whose driver keeps `perf_regs` closed between uses and its cycle counter as it was; time goes on."""

    def shows(self, cycles: int, *, opened: bool) -> None:
        self.cards = (warboy()._replace(perf_regs=(PerfRegs("npu0pe0-1", 0, 1, opened, cycles, None, None),)),)

    async def one(self, card: Reading) -> Reading:
        self.now += 0.15
        return await super().one(card)


@pytest.mark.parametrize("again", ["hand_over", "last_look"])
def test_the_work_of_the_pod_before_is_no_stranger_to_the_next(again: str) -> None:
    """The counter moved since the last look, when the first pod still computed; now it stands still."""
    host = Turnover()
    host.shows(1_000, opened=False)
    assert host.states(100.0, 101.0)[-1] == "idle"
    asyncio.run(host.pool.hand_over(NAME, ("WARBOY-0",)))
    host.shows(5_000, opened=True)
    assert host.states(102.0, 103.0)[-1] == "allocated"
    host.now = 103.6
    host.shows(9_000, opened=False)  # it ended at 103.5, and the kubelet gives its card to the next, or starts it anew
    asyncio.run(getattr(host.pool, again)(NAME, ("WARBOY-0",)))


def test_a_stranger_who_computes_is_refused_though_perf_regs_is_closed() -> None:
    """Its counter moves on between the two readings."""

    class Busy(Turnover):
        async def one(self, card: Reading) -> Reading:
            self.shows(int(self.now * 1000), opened=False)
            return await super().one(card)

    host = Busy()
    host.shows(1_000, opened=False)
    host.states(100.0, 101.0)
    assert "in use by a process that no pod" in _is_refused(host, "WARBOY-0")


def test_a_card_that_hung_for_the_cycle_while_the_last_look_waited_is_on_probation() -> None:
    """The driver answers just before the look gives it up: the list says already that the card is unhealthy."""

    class Slow(Host):
        async def one(self, card: Reading) -> Reading:
            self.cards = (warboy()._replace(unanswered="/sys/x/alive"),)
            self.now += 1.0
            await self.pool.scan(anew=False, users_anew=False)
            self.cards = (warboy(),)
            return await super().one(card)

    host = Slow(warboy())
    assert host.states(100.0) == ["idle"]
    assert "is on probation" in _is_refused(host, "WARBOY-0")


def _is_refused(host: Host, unit_id: str) -> str:
    """With this reason."""
    with pytest.raises(Refused) as raised:
        asyncio.run(host.pool.hand_over(NAME, (unit_id,)))
    return str(raised.value)


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
    assert "unknown device WARBOY-0" in _is_refused(host, "WARBOY-0")
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
    assert "npu0 is where WARBOY-0 was when a pod got it, and that pod has its device files yet" in _is_refused(
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
    assert "npu0 is where WARBOY-0 was" in _is_refused(host, "WARBOY-1")
    with pytest.raises(Refused, match="the device files of npu1 are others than those that its pod was given"):
        asyncio.run(host.pool.last_look(NAME, ("WARBOY-0",)))
    host.cards = (first, second)
    host.states(103.0, 110.0)
    asyncio.run(host.pool.last_look(NAME, ("WARBOY-0",)))
    asyncio.run(host.pool.hand_over("alpha.furiosa.ai/npu", ("WARBOY-1",)))


def _restarted(host: Host, *held: str, given: dict[str, Given]) -> None:
    """The agent has looked once, and hears from the kubelet what pods hold and were given."""
    host.states(100.0)
    listed = frozenset(Holding(NAME, unit_id) for unit_id in held)
    host.pool.settle(Observation(100.0, listed, listed, recorded_is_current=False, given=given.get))
    host.states(101.0)


def _files_of(index: int) -> frozenset[str]:
    return frozenset(file.path for file in warboy(index).device_files)


def test_cards_that_swapped_their_numbers_while_no_agent_ran_stay_with_who_has_the_files() -> None:
    """The kubelet keeps which files the pod was given; the driver was loaded anew before this agent's start."""
    host = Host(warboy(index=1, uuid="WARBOY-0"), warboy(uuid="WARBOY-1"))
    _restarted(host, "WARBOY-0", given={"WARBOY-0": Given(_files_of(0), frozenset({"WARBOY-0"}))})
    assert "npu0 is where WARBOY-0 was" in _is_refused(host, "WARBOY-1")
    with pytest.raises(Refused, match="the device files of npu1 are others than those that its pod was given"):
        asyncio.run(host.pool.last_look(NAME, ("WARBOY-0",)))


def test_a_card_that_came_in_place_of_a_held_one_while_no_agent_ran_is_not_handed_out() -> None:
    """The held one is nowhere to be seen, and was not seen by this agent."""
    host = Host(warboy(uuid="NEW"), warboy(index=1))
    _restarted(host, "WARBOY-0", given={"WARBOY-0": Given(_files_of(0), frozenset({"WARBOY-0"}))})
    assert "npu0 is where WARBOY-0 was" in _is_refused(host, "NEW")
    asyncio.run(host.pool.hand_over(NAME, ("WARBOY-1",)))


def test_cards_that_were_given_together_are_not_in_each_others_place() -> None:
    """The kubelet keeps the files of both in one answer."""
    host = Host(warboy(), warboy(index=1))
    both = frozenset({"WARBOY-0", "WARBOY-1"})
    given = Given(_files_of(0) | _files_of(1), both)
    _restarted(host, *sorted(both), given=dict.fromkeys(both, given))
    assert {unit.verdict.state for unit in host.pool.pool.values()} == {"allocated"}
    asyncio.run(host.pool.last_look(NAME, ("WARBOY-0", "WARBOY-1")))


def test_a_card_that_its_pod_lets_go_is_at_no_moment_listed_unhealthy() -> None:
    """A pod that comes just then would be turned away by the kubelet: `Available: 0`."""
    host = Host(warboy())
    host.states(100.0)
    asyncio.run(host.pool.hand_over(NAME, ("WARBOY-0",)))
    host.pool.settle(Observation(101.0, frozenset({Holding(NAME, "WARBOY-0")}), frozenset(), recorded_is_current=True))
    host.states(101.0)
    assert host.pool.settle(Observation(102.0, frozenset(), frozenset(), recorded_is_current=True))
    assert host.states(102.0) == ["idle"]
    assert (set(host.lists), host.lists[-1]) == ({(("WARBOY-0", True),)}, (("WARBOY-0", True),))


def test_a_card_that_is_let_go_is_told_of_when_it_was_looked_at_though_its_state_is_what_it_was() -> None:
    """One that failed while it was held is listed healthy for its pod alone."""
    host = Host(warboy())
    host.states(100.0)
    host.cards = (warboy()._replace(alive=False),)
    host.pool.settle(Observation(101.0, frozenset({Holding(NAME, "WARBOY-0")}), frozenset(), recorded_is_current=True))
    assert host.states(101.0) == ["failed"]
    assert host.pool.settle(Observation(102.0, frozenset(), frozenset(), recorded_is_current=True))
    assert host.states(102.0) == ["failed"]
    assert host.lists[-2:] == [(("WARBOY-0", True),), (("WARBOY-0", False),)]


CLAIMED = Given(
    frozenset({"npu0pe0", "npu0_mgmt"}),
    frozenset({"WARBOY-0"}),
    Reading("warboy", 0, management=False, uuid="WARBOY-0", pes=(0,)),
)
"""of a claim of one PE"""


def _states(host: Host) -> dict[str, str]:
    return {unit_id: unit.verdict.state for unit_id, unit in host.pool.pool.items()}


def test_a_card_that_came_where_a_claim_s_card_was_while_no_agent_ran_is_kept_back() -> None:
    """All of it: the claim's container opens what has the files' names now; its own card's rest is free."""
    host = Host(warboy(index=1, uuid="WARBOY-0"), warboy(uuid="WARBOY-1"), slicing=PARTITIONED)
    _restarted(host, "npu-warboy-0-pe0", given={"npu-warboy-0-pe0": CLAIMED})
    assert _states(host) == {
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
    _restarted(host, "npu-warboy-0-pe0", given={"npu-warboy-0-pe0": CLAIMED})
    assert {unit_id: state for unit_id, state in _states(host).items() if state != "idle"} == {
        "npu-warboy-0": "gone",
        "npu-warboy-0-pe0": "gone",
    }
    part = host.pool.pool["npu-warboy-0-pe0"]
    assert (part.card_id, part.card) == ("WARBOY-0", CLAIMED.reading)
    host.cards = (warboy(), warboy(index=1))
    host.states(102.0)
    assert _states(host)["npu-warboy-0-pe0"] != "gone"


def test_a_card_that_has_not_answered_yet_is_not_gone() -> None:
    """Its driver is slow at this agent's start: a pod would lose it for that."""
    host = Host(warboy(index=1), slicing=PARTITIONED)
    host.unread = frozenset({"warboy npu0"})
    _restarted(host, "npu-warboy-0-pe0", given={"npu-warboy-0-pe0": CLAIMED})
    assert "npu-warboy-0-pe0" not in host.pool.pool
    host.unread = frozenset()
    _restarted(host, "npu-warboy-0-pe0", given={"npu-warboy-0-pe0": CLAIMED})
    assert _states(host)["npu-warboy-0-pe0"] == "gone"


def test_a_card_that_was_pulled_for_good_is_forgotten_when_it_is_disabled() -> None:
    """The node says that it is gone until somebody says that this is meant; no agent has to be started anew."""
    host = Host(warboy(), warboy(index=1))
    host.states(100.0)
    host.cards = (warboy(),)
    host.states(101.0)
    assert host.pool.pool["WARBOY-1"].verdict.state == "gone"
    host.pool.rules = host.pool.rules._replace(disable=("warboy-1",))
    host.states(102.0)
    assert set(host.pool.pool) == {"WARBOY-0"}


GONE = Verdict(
    "gone",
    "gone",
    "the driver shows neither device files nor a management folder, and PCI has no such device",
    42.0,
    (),
    NEW._replace(standing=Standing(True, 1, 42.0, None)),
)
KNOWN = {"WARBOY-0": Reading("warboy", 0, management=False, uuid="WARBOY-0", pci_bdf="0000:01:00.0")}


def test_a_card_that_is_gone_stays_so_for_the_next_agent() -> None:
    """With its reason, since when, and for its pod, as if no agent had been started anew."""
    host = Host(warboy(index=1), remembered={"WARBOY-0": GONE}, known=KNOWN)
    _restarted(host, "WARBOY-0", given={})
    assert _states(host) == {"WARBOY-0": "gone", "WARBOY-1": "idle"}
    assert host.pool.pool["WARBOY-0"].verdict[:4] == GONE[:4]
    assert host.lists[-1] == (("WARBOY-0", True), ("WARBOY-1", True))
    host.cards = (Reading("warboy", 0, management=False), warboy(index=1))  # as the last look finds the place
    assert "npu0 (WARBOY-0) is gone: the driver shows neither" in _is_refused(host, "WARBOY-0")
    assert set(host.pool.cards) == {"WARBOY-0", "WARBOY-1"}


def test_a_card_that_hangs_at_the_agents_start_is_the_one_that_it_was() -> None:
    """Its driver does not even say its UUID; the pod that holds it is not forgotten."""
    hangs = Reading("warboy", 0, management=False, unanswered="/sys/x/heartbeat")
    host = Host(hangs, warboy(index=1), remembered={"WARBOY-0": GONE}, known=KNOWN)
    host.unread = frozenset({"warboy npu0"})
    host.states(101.0)
    assert _states(host) == {"WARBOY-0": "unreadable", "WARBOY-1": "idle"}


def test_a_card_that_is_slow_to_answer_the_next_agent_is_not_gone_meanwhile() -> None:
    """It would have to prove itself for that."""
    host = Host(warboy(index=1), remembered={"WARBOY-0": Verdict("idle", "", "", 0.0)}, known=KNOWN)
    for unread in (None, frozenset({"warboy npu0"})):
        host.unread = unread
        host.states(101.0)
        assert (_states(host), "WARBOY-0" in host.pool.cards) == ({"WARBOY-1": "idle"}, True)
    host.cards, host.unread = (warboy(), warboy(index=1)), frozenset()
    host.states(102.0)
    assert _states(host) == {"WARBOY-0": "idle", "WARBOY-1": "idle"}


def test_a_card_that_another_plane_knew_is_no_unit_of_this_one() -> None:
    """Its units have other ids."""
    host = Host(warboy(), remembered={"WARBOY-7": GONE}, known={"WARBOY-7": KNOWN["WARBOY-0"]}, slicing=PARTITIONED)
    host.states(101.0)
    assert set(_states(host)) == {"npu-warboy-0", "npu-warboy-0-pe0", "npu-warboy-0-pe1"}


def test_the_last_look_sees_who_opened_the_card_since_the_processes_were_looked_at() -> None:
    """In a container no event tells of it: for ten seconds the card would go to a pod while somebody computes on it."""
    host = Host(warboy())
    host.states(101.0)
    host.users = (CardUser("process 4711 (python3)", None),)
    assert "is occupied: in use by process 4711 (python3)" in _is_refused(host, "WARBOY-0")


def test_no_card_is_opened_before_the_kubelet_has_told_who_holds_it() -> None:
    """After a restart of the agent cards are looked at several times before: their pods may open them at any time."""
    host = Host(warboy(), probe=True)
    host.states(101.0, 102.0)
    assert host.probed == [frozenset()] * 2
    host.pool.settle(Observation(host.now, frozenset({Holding(NAME, "WARBOY-0")}), frozenset(), True))
    host.states(103.0)
    assert host.probed[-1] == frozenset()
    host.pool.settle(Observation(host.now, frozenset(), frozenset(), True))
    host.states(104.0)
    assert host.probed[-1] == {warboy().key}
