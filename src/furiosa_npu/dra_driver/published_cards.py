"""What of the node's cards is published: nothing before it is known, then what is made of the pool at each change."""

import asyncio
from collections.abc import Callable

from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.claims_api import Ask
from furiosa_npu.dra_driver.devices import LeftOut, Tainting, offering
from furiosa_npu.dra_driver.driver_reports import DriverReports
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.dra_driver.node_claims import NodeClaims
from furiosa_npu.dra_driver.publication import Publication
from furiosa_npu.dra_driver.publication_trouble import NOT_PUBLISHED, Notice
from furiosa_npu.dra_driver.publisher import Publisher
from furiosa_npu.dra_driver.settings import Settings
from furiosa_npu.health.verdict import State
from furiosa_npu.watch.card_watch import CardWatch

_WELL: tuple[State, ...] = ("idle", "allocated", "occupied", "probation")


class PublishedCards:
    """One instance's. Made inside a running loop."""

    def __init__(
        self,
        settings: Settings,
        node_name: str,
        watch: CardWatch,
        claims: NodeClaims,
        ask: Ask,
        not_before: float,
        is_newest: Callable[[], bool],
        reports: DriverReports,
        log: Log,
        clock: Callable[[], float],
        epoch: Callable[[], float],
    ) -> None:
        """Before `not_before` the API server is not asked; `is_newest`: no other instance is to publish in this one's
        place; `epoch`: seconds since 1970 at 0 of the clock."""
        self._settings = settings
        self._node_name = node_name
        self._watch = watch
        self._claims = claims
        self._ask = ask
        self._is_newest = is_newest
        self._reports = reports
        self._log = log
        self._epoch = epoch
        self.publisher = Publisher(Publication(DRIVER, node_name, not_before), ask, is_newest, self._notice, clock)
        self._is_known = False
        self._left_out: tuple[LeftOut, ...] = ()
        self._told: set[LeftOut] = set()
        """of which there were events"""
        self._is_some_untainted = False
        """of what is to be published"""

    async def begin(self) -> None:
        """Once it is known what there is, and who holds it. For a driver that has the plane."""
        await self._claims.cycle.know()
        await self._claims.cycle.answered()
        while not self._claims.holdings.known:
            await asyncio.sleep(self._settings.cycle_seconds)
            await self._claims.take_in()
        self._is_known = True
        self.pool_changed()

    def pool_changed(self) -> None:
        if not self._is_known:
            return
        pool, tainting = self._watch.pool, Tainting(self._epoch(), self._settings.failed_taint)
        offered = offering(pool.pool, pool.ledger.units, self._claims.holdings.other_plane, tainting)
        if offered.left_out != self._left_out:
            self._left_out = offered.left_out
            for unit, reason in offered.left_out:
                self._log.info("not published", unit=unit, reason=reason)
        self._tell_of_well_cards(offered.left_out)
        self._is_some_untainted = any(not device.taints for card in offered.cards for device in card.devices)
        self.publisher.offer(offered.cards)

    def _tell_of_well_cards(self, left_out: tuple[LeftOut, ...]) -> None:
        """An event of each card that is well, once: of the others their own state tells."""
        self._told &= {*left_out}
        for one in left_out:
            unit = self._watch.pool.pool[one.unit]
            if one not in self._told and unit.card.pes is None and unit.verdict.state in _WELL:
                self._told.add(one)
                text = f"{unit.card.name} ({unit.card_id}) is not published, and no pod can get it: {one.reason}"
                self._reports.say_of_node(NOT_PUBLISHED, text)

    async def remove_startup_taint(self) -> None:
        """The scheduler reads the slices themselves: nothing of the node's status has to be waited for."""
        key = self._settings.startup_taint
        if key is not None:
            from furiosa_npu.watch.startup_taint import StartupTaint, remove_once_offered

            taint = StartupTaint(key, self._node_name, ())
            await remove_once_offered(taint, self._is_offering, self._ask, self._watch.conditions, self._log)

    def _is_offering(self) -> bool:
        """What is published is known to stand there, by this instance, and some of it is for everybody."""
        return self._is_some_untainted and self._is_newest() and self.publisher.unsettled() is None

    def _notice(self, notice: Notice) -> None:
        self._log.entry(notice.level, notice.text, {})
        if notice.event is not None:
            self._reports.say_of_node(notice.event, notice.text)
