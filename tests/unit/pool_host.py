"""A host whose cards and clock are in the tests' hands, and the pool that sees it."""

import asyncio
from typing import Any, cast

import pytest

from furiosa_npu.allocation.census import Rules
from furiosa_npu.allocation.ledger import Given, Holding, Observation
from furiosa_npu.allocation.slicing import WHOLE_CARDS, Slicing
from furiosa_npu.hardware.reading import CardUser, Reading
from furiosa_npu.health.recall import Recalled
from furiosa_npu.health.verdict import Verdict
from furiosa_npu.watch.npu_pool import NpuPool, Refused

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
        self.is_current = True
        """they are known from the last look that was wanted"""
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

    async def all(self, *, anew: bool, probe: frozenset[str], is_late: bool) -> tuple[Reading, ...]:
        assert not anew
        assert not is_late
        self.probed.append(probe)
        return self.cards

    async def one(self, card: Reading) -> Reading:
        return next((now for now in self.cards if now.key == card.key), self.cards[0])

    async def look(self, *, anew: bool, is_late: bool = False) -> None:
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


def refused_with(host: Host, unit_id: str) -> str:
    """With this reason."""
    with pytest.raises(Refused) as raised:
        asyncio.run(host.pool.hand_over(NAME, (unit_id,)))
    return str(raised.value)


def restart(host: Host, *held: str, given: dict[str, Given]) -> None:
    """The agent has looked once, and hears from the kubelet what pods hold and were given."""
    host.states(100.0)
    listed = frozenset(Holding(NAME, unit_id) for unit_id in held)
    host.pool.settle(Observation(100.0, listed, listed, recorded_is_current=False, given=given.get))
    host.states(101.0)


def states_of(host: Host) -> dict[str, str]:
    return {unit_id: unit.verdict.state for unit_id, unit in host.pool.pool.items()}
