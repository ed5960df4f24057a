"""What the driver answers over HTTP, of its state at the moment: probes, `/status`, `/metrics`."""

import time
from collections.abc import Callable

from furiosa_npu.agent.http import METRICS, TEXT
from furiosa_npu.agent.metrics import render_metrics
from furiosa_npu.dra_driver.driver_metrics import Counts, page
from furiosa_npu.dra_driver.holdings import Holdings
from furiosa_npu.watch import pages
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.cycle import Cycle
from furiosa_npu.watch.kubelet_books import PodRef
from furiosa_npu.watch.npu_pool import NpuPool
from furiosa_npu.watch.patient_reader import PatientReader


class Web:
    """Its `routes` are for agent.http's Listener."""

    def __init__(
        self,
        pool: NpuPool,
        cycle: Cycle,
        cycle_seconds: float,
        holdings: Holdings,
        reader: PatientReader,
        counts: Counts,
        conditions: Conditions,
        unsettled: Callable[[], str | None],
        registrations: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        """`unsettled`: why the slices are not published as they should be, or None."""
        self._pool = pool
        self._cycle = cycle
        self._cycle_seconds = cycle_seconds
        self._holdings = holdings
        self._reader = reader
        self._counts = counts
        self._conditions = conditions
        self._unsettled = unsettled
        self._registrations = registrations
        self._clock = clock
        self.routes: dict[str, Callable[[], tuple[int, str, str]]] = {
            "/livez": self._live,
            "/readyz": self._ready,
            "/status": self._status,
            "/metrics": self._metrics,
        }
        """path to status, content type and body"""

    def holders(self) -> dict[str, list[PodRef]]:
        """The pods that hold each unit, as far as they are known."""
        held: dict[str, list[PodRef]] = {}
        for holding, _ in self._pool.ledger.entries:
            held.setdefault(holding.unit, []).extend(self._holdings.holders(holding))
        return held

    def _live(self) -> tuple[int, str, str]:
        status, body = pages.live(self._cycle.turned_at, self._clock(), self._cycle_seconds)
        return status, TEXT, body

    def _ready(self) -> tuple[int, str, str]:
        troubles, unsettled = self._conditions.troubles(), self._unsettled()
        if unsettled is not None:
            troubles = (*troubles, ("slices", unsettled))
        status, body = pages.ready(troubles, self._pool.scanned_at, self._clock(), self._cycle_seconds)
        return status, TEXT, body

    def _status(self) -> tuple[int, str, str]:
        return 200, TEXT, pages.status(self._pool.pool, self.holders(), time.time() - self._clock())

    def _metrics(self) -> tuple[int, str, str]:
        scanned_at = self._pool.scanned_at
        current = {holding: self._holdings.holders(holding) for holding, _ in self._pool.ledger.entries}
        age = None if scanned_at is None else self._clock() - scanned_at
        registrations, stuck = self._registrations(), self._reader.stuck_threads
        return 200, METRICS, render_metrics(page(self._pool.pool, current, self._counts, registrations, age, stuck))
