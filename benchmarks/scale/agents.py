"""One simulated node: the cluster-facing parts of its agents, as the agents themselves put them together.

The labeller's `LabelKeeper` on the node's labels; of who hands out the cards, the `Announcements` and the `Writer` for
events and the node's condition, which device plugin and DRA driver have alike; and the DRA driver's `Publisher`. The
cards are readings in memory, judged by `census` as the agents do.
"""

import asyncio
import os
import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from tests.unit.readings import warboy

from benchmarks.scale.threads import Threads
from furiosa_npu.agent.log import Log
from furiosa_npu.allocation.census import Rules, Seen, census
from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.allocation.partition import PARTITIONED
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.cluster.events import Source
from furiosa_npu.cluster.outbox import Outbox
from furiosa_npu.cluster.retry import start_delay_seconds
from furiosa_npu.cluster.writer import Writer
from furiosa_npu.dra_driver.devices import DRIVER, Tainting, offering
from furiosa_npu.dra_driver.publication import Publication
from furiosa_npu.dra_driver.publisher import Publisher
from furiosa_npu.dra_driver.settings import PROGRAM
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.node_labeller.board import NodesLabels
from furiosa_npu.node_labeller.label_keeper import LabelKeeper
from furiosa_npu.node_labeller.labels import CardType, Sight
from furiosa_npu.watch.announcements import Announcements

CARDS = 8
_RULES = Rules(family=None, disable=(), pe_form="fused")
_SIGHT = Sight(("warboy",), (), (), tuple(CardType(f"npu{number}", "warboy", True, "haps") for number in range(CARDS)))
_SILENT = Log(write=lambda _: None)
_PROVEN_SECONDS = 2.5
"""after which a card that is good again has stood its first probation"""


class Ways(NamedTuple):
    """Each agent's way to the API server, by its own token."""

    labeller: Threads
    driver: Threads


class Spread(NamedTuple):
    """How chance spreads requests over time."""

    jitter_seconds: float
    random: Callable[[], float]


class NodesAgents:
    """Started inside a running loop; they run until `stop`."""

    def __init__(self, name: str, ways: Ways, spread: Spread) -> None:
        labeller_from, driver_from = (time.monotonic() + _delay(spread) for _ in ways)
        self._keeper = LabelKeeper(NodesLabels(name), None, None, labeller_from)
        self._ways = ways
        self._random = spread.random
        source = Source(PROGRAM.name, name)
        self._writer = Writer(
            Outbox(source, not_before=driver_from),
            ways.driver.access,
            lambda _: None,
            random=spread.random,
            environment=os.environ,
            send=ways.driver.send,
        )
        self._announcements = Announcements(_SILENT, lambda *_: None, self._writer, source)
        self._publisher = Publisher(
            Publication(DRIVER, name, driver_from),
            ways.driver.ask,
            lambda: True,
            lambda _: None,
            time.monotonic,
            spread.random,
        )
        self._readings = list(_readings())
        self._pool: Pool = _first_pool()
        self._say()
        self._announcements.own_plane()
        self._publisher.doubt()  # the kubelet takes the driver
        self._tasks = [asyncio.create_task(self._keep_labels()), asyncio.create_task(self._publisher.run())]

    def change(self, card: int, *, alive: bool) -> None:
        """The card's driver says so from now on."""
        self._readings[card] = self._readings[card]._replace(alive=alive)
        self._look()
        if alive:
            asyncio.get_running_loop().call_later(_PROVEN_SECONDS, self._look)

    def is_settled(self) -> bool:
        """All that these agents want at the API server stands there."""
        outbox = self._writer.outbox
        is_written = outbox.counts["condition", "written"] > 0 and not outbox.waiting()
        return is_written and self._keeper.unsettled() is None and self._publisher.is_settled()

    def stop(self) -> None:
        """As SIGKILL does."""
        for task in self._tasks:
            task.cancel()
        self._writer.close()

    def _look(self) -> None:
        self._pool = _pool(self._pool, self._readings)
        self._say()

    def _say(self) -> None:
        cards = {unit_id: unit for unit_id, unit in self._pool.items() if unit.card.pes is None}
        self._announcements.say(cards, {}, frozenset())
        epoch = time.time() - time.monotonic()
        self._publisher.offer(offering(self._pool, (), (), Tainting(epoch)).cards)

    async def _keep_labels(self) -> None:
        """What the labeller's `step` does; ends where nothing is left to ask, since no card comes or goes."""
        keeper, clock = self._keeper, time.monotonic
        keeper.look(_SIGHT, clock())
        while keeper.unsettled() is not None:
            request = keeper.due(clock())
            if request is not None:
                (answer,) = await self._ways.labeller.ask((request,))
                keeper.answered(request, answer, clock(), self._random())
            else:
                await asyncio.sleep(max(0.0, (keeper.retry_at() or 0.0) - clock()))


def _delay(spread: Spread) -> float:
    return start_delay_seconds(spread.jitter_seconds, spread.random())


@cache
def _readings() -> tuple[Reading, ...]:
    return tuple(warboy(number) for number in range(CARDS))


@cache
def _first_pool() -> Pool:
    return _pool({}, list(_readings()))


def _pool(before: Pool, readings: list[Reading]) -> Pool:
    return census(before, Seen(readings), Ledger(), _RULES, time.monotonic(), None, PARTITIONED)
