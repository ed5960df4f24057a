"""A node's claims, put together by the driver's settings: what prepares them, restores them, knows who holds what by
them, and says how their devices are.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from furiosa_npu.agent.log import Log
from furiosa_npu.cluster.together import Together
from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.claim_files import ClaimFiles, ClaimFilesError
from furiosa_npu.dra_driver.claim_statuses import ClaimStatuses
from furiosa_npu.dra_driver.claim_store import ClaimStore
from furiosa_npu.dra_driver.claims_api import Ask, ClaimsApi
from furiosa_npu.dra_driver.driver import Driver
from furiosa_npu.dra_driver.driver_reports import DriverReports
from furiosa_npu.dra_driver.holdings import Holdings
from furiosa_npu.dra_driver.in_thread import in_thread
from furiosa_npu.dra_driver.looks import Looks
from furiosa_npu.dra_driver.other_pods import OtherPods
from furiosa_npu.dra_driver.preparation import Node
from furiosa_npu.dra_driver.preparer import Preparer
from furiosa_npu.dra_driver.restoration import Restoration
from furiosa_npu.dra_driver.restorer import Restorer
from furiosa_npu.dra_driver.settings import Settings
from furiosa_npu.dra_driver.state_file import StateError, StateFile
from furiosa_npu.dra_driver.state_reader import StateReader
from furiosa_npu.watch.card_watch import CardWatch
from furiosa_npu.watch.kubelet_books import KubeletBooks
from furiosa_npu.watch.memory_file import boot_id
from furiosa_npu.watch.options import RESOURCES

STATE_SECONDS = 1.0
"""So long a look at the cards waits for the state file at most: it takes milliseconds."""


class NodeClaims:
    """One instance's. Made inside a running loop."""

    def __init__(
        self,
        settings: Settings,
        folder: str,
        node_name: str,
        watch: CardWatch,
        ask: Ask,
        plane_is_ours: Callable[[], bool],
        on_folder: Callable[[], None],
        reports: DriverReports,
        log: Log,
        clock: Callable[[], float],
        epoch: Callable[[], float],
    ) -> None:
        """`folder`: of the state file; `on_folder`: of the cycle; `epoch`: seconds since 1970 at 0 of the clock."""
        self._retires = settings.retire
        self._plane_is_ours = plane_is_ours
        self._pool = pool = watch.pool
        self._counts = reports.counts
        self._log = log
        self._epoch = epoch
        self._boot_id = boot_id()
        asked_together = Together(ask)
        self._api = api = ClaimsApi(asked_together)
        store = ClaimStore(StateFile(folder), ClaimFiles(settings.cdi_dir))
        self._state = StateReader(store, self._boot_id, in_thread, self._state_was_read)
        self.holdings = holdings = Holdings(
            self._state.read,
            self._boot_id,
            KubeletBooks(
                settings.pod_resources_socket,
                f"{settings.kubelet_dir}/device-plugins",
                lambda: False,
                clock,
                watch.conditions,
            ),
            OtherPods(asked_together, node_name).ended,
            RESOURCES,
            api.pods,
            plane_is_ours,
            clock,
        )
        self.cycle = watch.cycle(holdings, on_folder, partial(reports.announce, holdings.holders), self._know)
        node = Node(node_name, self._boot_id, settings.default_pe, watch.edits)
        # A lost state is made out anew by looks, which do not wait for what it says of holders: `_closed` does.
        looks = Looks(pool, self.cycle.seen, lambda: holdings.other_plane)
        self.restoration = Restoration(
            Restorer(store, node, api.fetch, api.fetch_all, looks.look, in_thread), watch.conditions, log
        )
        preparer = Preparer(store, node, api.fetch, looks.look, in_thread)
        self.driver = Driver(preparer, self._closed, self.changed, self._answered, clock)
        self.statuses = ClaimStatuses(ask, api, log.warning)
        self._settling: asyncio.Task[None] | None = None

    def changed(self) -> None:
        """Something was prepared or unprepared, perhaps."""
        self._settling = asyncio.create_task(self.take_in())

    async def take_in(self) -> None:
        """What is prepared now; the cycle looks again each second, as long as something is."""
        if self._pool.settle(await self.holdings.observe(self._pool.ledger)):
            self.cycle.pod_ended()
        self.say_status()

    def say_status(self) -> None:
        """Of the devices of what is prepared, in the claims' status."""
        state = self.holdings.state
        if state is not None:
            here = [claim for claim in state.values() if claim.boot_id == self._boot_id]
            pool, held = self._pool.pool, self._pool.ledger.units
            self.statuses.want(here, pool, held, self._epoch(), all_seen=self._pool.all_seen)

    async def _know(self) -> None:
        """Before a look at the cards: another instance prepares and ends claims, too, and no call tells this one."""
        if self._state.is_old() and (self._settling is None or self._settling.done()):
            self._settling = asyncio.create_task(self.take_in())
            await asyncio.wait({self._settling}, timeout=STATE_SECONDS)

    def _closed(self) -> str | None:
        """Why nothing new is prepared."""
        if self._retires:
            return "this driver retires (--retire=on): it prepares nothing new"
        if self.restoration.pending is not None:
            return self.restoration.pending
        if not self._plane_is_ours():
            return "the other plane hands out this node's cards"
        if not self.holdings.known:
            return "the kubelet does not say yet which cards pods hold that the device plugin served"
        return None

    def _state_was_read(self, error: StateError | ClaimFilesError | None) -> None:
        self.restoration.was_read(error)

    def _answered(self, call: str, named: ClaimName, reason: str | None, seconds: float) -> None:
        self._counts.answer(call, "answered" if reason is None else "refused", seconds)
        if (call, reason) == ("NodeUnprepareResources", None):
            self._api.forget(named)
            self.restoration.claim_ended()
        if reason is None:
            self._log.info(f"{call} answered", claim=str(named), seconds=round(seconds, 3))
        else:
            self._log.warning(f"{call} refused", reason=reason)
