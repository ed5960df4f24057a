"""The pool over time: what is judged when, on a clock in the tests' hands."""

import asyncio

import pytest

from furiosa_npu.allocation.ledger import Entry, Holding, Ledger, Observation
from furiosa_npu.hardware.reading import CardUser, PerfRegs, Reading
from furiosa_npu.health.verdict import Verdict
from furiosa_npu.watch.npu_pool import JUDGED_SECONDS
from tests.unit.pool_host import NAME, Host, refused_with
from tests.unit.readings import warboy


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
    assert "in use by a process that no pod" in refused_with(host, "WARBOY-0")


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
    assert "is on probation" in refused_with(host, "WARBOY-0")


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


def test_the_last_look_sees_who_opened_the_card_since_the_processes_were_looked_at() -> None:
    """In a container no event tells of it: for ten seconds the card would go to a pod while somebody computes on it."""
    host = Host(warboy())
    host.states(101.0)
    host.users = (CardUser("process 4711 (python3)", None),)
    assert "is occupied: in use by process 4711 (python3)" in refused_with(host, "WARBOY-0")


def test_users_that_proc_has_yet_to_tell_of_are_not_taken_for_known() -> None:
    """Where each open is told of: the look that an open brought may not have ended when a pod asks."""
    host = Host(warboy())
    host.states(101.0)
    host.pool.users_are_known, host.is_current = True, False
    host.users = (CardUser("process 4711 (python3)", None),)
    assert "is occupied: in use by process 4711 (python3)" in refused_with(host, "WARBOY-0")


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
