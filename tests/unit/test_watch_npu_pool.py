"""The pool over time: what is judged when, on a clock in the tests' hands."""

import asyncio
from typing import Any, cast

import pytest

from furiosa_npu.allocation.census import Rules
from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.hardware.reading import CardUser, PerfRegs, Reading
from furiosa_npu.health.verdict import Verdict
from furiosa_npu.watch.npu_pool import JUDGED_SECONDS, NpuPool, Refused
from tests.unit.readings import warboy


class Host:
    """Cards that are told as `CardReadings` tells them: the same object where nothing changed."""

    def __init__(self, *cards: Reading, remembered: dict[str, Verdict] | None = None) -> None:
        self.cards = cards
        self.now = 100.0
        self.pool = NpuPool(
            cast(Any, self),
            cast(Any, self),
            Rules(family=None, disable=(), pe_form="fused"),
            remembered or {},
            ("furiosa.ai/npu",),
            lambda: self.now,
            lambda: None,
            probe=False,
            held_bad_is_unhealthy=False,
        )

    async def all(self, **_: object) -> tuple[Reading, ...]:
        return self.cards

    async def one(self, card: Reading) -> Reading:
        return next((now for now in self.cards if now.key == card.key), self.cards[0])

    async def look(self, **_: object) -> None:
        """Nobody has a card open."""

    def of_cards(self, _: object) -> dict[str, tuple[CardUser, ...]]:
        return {}

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


NAME = "furiosa.ai/npu"


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
