"""The one pool of cards behind all resource names: read, judged, handed out, settled. One instance a process."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from operator import is_

from furiosa_npu.allocation.absent import absent
from furiosa_npu.allocation.census import Rules, Seen, census, judge_anew
from furiosa_npu.allocation.ledger import GivenOf, Ledger, Observation, hand_out, renew, settle
from furiosa_npu.allocation.places import Places, follow
from furiosa_npu.allocation.pool import Offer, Pool, offers, preferred, refusal
from furiosa_npu.allocation.slicing import WHOLE_CARDS, Slicing
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.recall import Recalled
from furiosa_npu.health.verdict import Verdict
from furiosa_npu.watch.card_readings import CardReadings
from furiosa_npu.watch.earlier_agent import EarlierAgent
from furiosa_npu.watch.hand_overs import HandOvers
from furiosa_npu.watch.last_look import LastLook, Standing, waits
from furiosa_npu.watch.outside_users import OutsideUsers

ANSWERED_SECONDS = 0.001
"""After a hand-over the kubelet has its answer; what follows from it for the lists, the log and the API server waits so
long, and the answer for nothing of it."""

JUDGED_SECONDS = 5.0
"""Every card is judged anew so often though nothing moved: that a heartbeat stands still is told by time alone."""


class Refused(Exception):
    """A hand-over that is refused; the message is the reason for the person who reads the pod's events."""


Cards = Mapping[str, Reading]
"""Readings of the last look by unit id, in the order in which they were asked for."""

Ready = Callable[[Cards], None]


class NpuPool:
    """State that the agent keeps: the last pool and the ledger. Every change calls `on_change`."""

    def __init__(
        self,
        readings: CardReadings,
        users: OutsideUsers,
        rules: Rules,
        recalled: Recalled,
        resources: Sequence[str],
        clock: Callable[[], float],
        on_change: Callable[[], None],
        *,
        probe: bool,
        held_bad_is_unhealthy: bool = False,
        slicing: Slicing = WHOLE_CARDS,
    ) -> None:
        self.rules = rules
        self.pool: Pool = {}
        self.ledger = Ledger()
        self.scanned_at: float | None = None
        self.all_seen = False
        """every card that is there has answered, and is in the pool: what is not in it is not there"""
        self.users_are_known = False
        """nobody opened a card's device file since the processes were looked at, or they would have been again"""
        self._readings = readings
        self._users = users
        self._earlier = EarlierAgent(recalled, slicing)
        self._resources = frozenset(resources)
        self._clock = clock
        self._on_change = on_change
        self.probe = probe
        """device files may be opened to see whether they are in use, once it is known who holds them"""
        self._holders_known = False
        self._held_bad_is_unhealthy = held_bad_is_unhealthy
        self._slicing = slicing
        self._places: Places = {}
        self._seen = Seen(())
        self._shown: list[tuple[object, ...]] = []
        self._settled = self._untold = False
        self._judged_by: tuple[object, ...] = ()
        self._judged_at = 0.0
        self._hand_overs = HandOvers(clock)
        self.instant_left = self._hand_overs.instant_left
        self._last_look = LastLook(readings, users, self._standing, slicing, clock)

    async def scan(self, *, anew: bool, users_anew: bool, is_late: bool = False) -> None:
        """Reads and judges every card. `anew`: all facts of them; `users_anew`: who has them open, too; `is_late`: only
        what the last scan asked for and did not wait for is taken in."""
        await self._users.look(anew=users_anew, is_late=is_late)
        readings = await self._readings.all(anew=anew, probe=self._to_probe(), is_late=is_late)
        awaited = {key: self._seen.awaited.get(key, self._now) for key in self._readings.awaited}
        self.scanned_at = now = self._clock()
        self.all_seen = self.unread == frozenset()
        users = self._users.of_cards(readings)
        known = (readings, self.ledger, self.rules)
        same = users == self._seen.users and all(map(is_, known, self._judged_by))
        self._seen = Seen(readings, users, awaited)
        if not (same and self._settled and now - self._judged_at < JUDGED_SECONDS):
            self.judge()

    def judge(self) -> None:
        """Judges every card by what was read last."""
        self._places = follow(self._places, self.ledger.units, self.pool)
        self.pool = census(
            {**self._earlier.decided(self.unread, self._seen.readings), **self.pool},
            self._seen,
            self.ledger,
            self.rules,
            self._now,
            self._earlier.verdicts,
            self._slicing,
            self._places,
        )
        self._earlier.forget(self.pool)
        self._judged_at = self._now
        self._judged_by = (self._seen.readings, self.ledger, self.rules)
        self._settled = all(_is_settled(unit.verdict) for unit in self.pool.values())
        shown = _shown(self.pool)
        if self._untold or shown != self._shown:
            self._shown, self._untold = shown, False
            self._on_change()

    @property
    def _now(self) -> float:
        """What was read is judged as of then: whether a heartbeat has moved since, nobody has seen."""
        return self._clock() if self.scanned_at is None else self.scanned_at

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """Of every card, and what is remembered of those that were not seen yet, by unit id."""
        return {**self._earlier.verdicts, **{unit.id: unit.verdict for unit in self.pool.values()}}

    @property
    def cards(self) -> dict[str, Reading]:
        """What is known of every unit that is a card, by its id."""
        units = (*self._earlier.cards, *self.pool.values())
        return {unit.id: unit.card for unit in units if unit.id == unit.card_id}

    @property
    def unread(self) -> frozenset[str] | None:
        """Keys of the cards that have never answered; None: which cards there are is not known yet."""
        return self._readings.unread

    @property
    def users_failure(self) -> str | None:
        """Why the host's processes could not be looked at, or None."""
        return self._users.failure

    @property
    def undecided(self) -> bool:
        """A card waits for its first reading, or for a second one."""
        return self._readings.is_waited_for or any(waits(unit) for unit in self.pool.values())

    def settle(self, seen: Observation) -> bool:
        """Takes in what the kubelet shows of who holds what. True: a card was let go; who uses it still?

        The next look tells, and calls `on_change`: a list sent before would have the card unhealthy for a moment.
        """
        self._holders_known = self._holders_known or seen.listed is not None or seen.recorded is not None
        before = {holding for holding, _ in self.ledger.entries}
        self.ledger = settle(self.ledger, seen, self._resources)
        now = {holding for holding, _ in self.ledger.entries}
        self._places = follow(self._places, self.ledger.units, self.pool, seen.given)
        gone = self._absent(seen.given) if self.all_seen else {}
        self.pool = {**self.pool, **gone}
        self._untold = self._untold or now != before
        if gone or now - before:
            self.judge()
        return bool(before - now)

    def _absent(self, given: GivenOf) -> Pool:
        held, rules = self.ledger.units, self.rules.health
        return absent(self.pool, held, given, self._earlier.verdicts, self._slicing, rules, self._now)

    def offers(self, resource: str) -> tuple[Offer, ...]:
        return offers(self.pool, self.ledger, resource, held_bad_is_unhealthy=self._held_bad_is_unhealthy)

    def preferred(
        self, resource: str, available: Sequence[str], must_include: Sequence[str], size: int
    ) -> tuple[str, ...]:
        return preferred(self.pool, self.ledger, resource, available, must_include, size)

    async def hand_over(self, resource: str, unit_ids: tuple[str, ...], ready: Ready | None = None) -> Cards:
        """The cards of the last look, entered in the ledger. Raises Refused: then nothing was entered.

        `ready` is called with them before that, and may raise Refused.
        """
        cards = await self._look_and_enter(resource, unit_ids, hand_out, ready)
        self._hand_overs.done(resource)
        return cards

    async def last_look(self, resource: str, unit_ids: tuple[str, ...], ready: Ready | None = None) -> None:
        """Raises Refused where a card is not idle and good now, just before a container starts with it, or not ready.

        Else the cards are held anew: between an init container and the next one of its pod, a kubelet may have dropped
        them from its books, and this agent with it.
        """
        await self._look_and_enter(resource, unit_ids, renew, ready)

    async def _look_and_enter(
        self,
        resource: str,
        unit_ids: tuple[str, ...],
        entered: Callable[[Ledger, str, tuple[str, ...], float], Ledger],
        ready: Ready | None,
    ) -> Cards:
        """What was asked for under another name meanwhile is in the ledger when this one is decided."""
        with self._hand_overs.of(unit_ids):
            looked = await self.look(unit_ids)
            reasons = [refusal(looked, self.ledger, resource, unit_id) for unit_id in dict.fromkeys(unit_ids)]
            refused = "; ".join(reason for reason in reasons if reason is not None)
            if refused:
                raise Refused(refused)
            cards = {unit_id: looked[unit_id].card for unit_id in unit_ids}
            if ready is not None:
                ready(cards)
            places = follow(self._places, self.ledger.units, self.pool)
            self.ledger = entered(self.ledger, resource, unit_ids, self._clock())
            self._places = follow(places, self.ledger.units, looked)
        asyncio.get_running_loop().call_later(ANSWERED_SECONDS, self._handed_over, unit_ids)
        return cards

    def _handed_over(self, unit_ids: tuple[str, ...]) -> None:
        self.pool = judge_anew(
            self.pool, unit_ids, self._seen, self.ledger, self.rules, self._now, self._slicing, self._places
        )
        self._shown = _shown(self.pool)
        self._on_change()

    def _to_probe(self) -> frozenset[str]:
        """Only what nobody holds and nobody is about to get."""
        if not self.probe or not self._holders_known:
            return frozenset()
        in_hands = self._slicing.holds((*self.ledger.units, *self._hand_overs.units))
        held = {unit.card.key for unit in self.pool.values() if in_hands(unit.id)}
        return frozenset(unit.card.key for unit in self.pool.values()) - held

    async def look(self, unit_ids: Sequence[str]) -> Pool:
        """The pool with these units as they are now: read anew, and judged as if no pod held them."""
        return await self._last_look.look(unit_ids)

    def _standing(self) -> Standing:
        users_are_known = self.users_are_known and self._users.is_current
        return Standing(self.pool, self.ledger, self.rules, self._seen, self._places, users_are_known)


def _is_settled(verdict: Verdict) -> bool:
    """The same reading brings the same verdict, however late."""
    return verdict.state in ("idle", "allocated", "disabled", "gone", "unreadable")


def _shown(pool: Pool) -> list[tuple[object, ...]]:
    """What the lists, the log, the metrics, the events and the CDI specification say of the pool."""
    return [
        (unit.id, unit.verdict.state, unit.verdict.reason, unit.verdict.warnings, *_facts(unit.card))
        for unit in pool.values()
    ]


def _facts(card: Reading) -> tuple[object, ...]:
    return card.index, card.numa_node, card.device_files
