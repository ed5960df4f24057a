"""What the plugin answers over HTTP, of its state at the moment: probes, `/status`, `/metrics`."""

import time
from collections.abc import Callable, Mapping, Sequence

from furiosa_npu.agent.http import METRICS, TEXT
from furiosa_npu.agent.metrics import render_metrics
from furiosa_npu.allocation.ledger import Holding
from furiosa_npu.device_plugin import plugin_metrics
from furiosa_npu.device_plugin.endpoint import Endpoint
from furiosa_npu.watch import pages
from furiosa_npu.watch.claimed_cards import BooksWithClaims
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
        books: BooksWithClaims,
        endpoints: Mapping[str, Endpoint],
        reader: PatientReader,
        counts: plugin_metrics.Counts,
        conditions: Conditions,
        clock: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._cycle = cycle
        self._cycle_seconds = cycle_seconds
        self._books = books
        self._endpoints = endpoints
        self._reader = reader
        self._counts = counts
        self._conditions = conditions
        self._clock = clock
        self.routes: dict[str, Callable[[], tuple[int, str, str]]] = {
            "/livez": self._live,
            "/readyz": self._ready,
            "/status": self._status,
            "/metrics": self._metrics,
        }
        """path to status, content type and body"""

    def holders(self) -> dict[str, list[PodRef]]:
        """The containers that hold each unit, as far as pod-resources has told of them by name."""
        return self._by_unit(lambda holding: self._books.containers.get(holding, ()))

    def _by_unit(self, holders: Callable[[Holding], Sequence[PodRef]]) -> dict[str, list[PodRef]]:
        held: dict[str, list[PodRef]] = {}
        for holding, _ in self._pool.ledger.entries:
            held.setdefault(holding.unit, []).extend(holders(holding))
        return held

    def _live(self) -> tuple[int, str, str]:
        status, body = pages.live(self._cycle.turned_at, self._clock(), self._cycle_seconds)
        return status, TEXT, body

    def _ready(self) -> tuple[int, str, str]:
        troubles, scanned_at = self._conditions.troubles(), self._pool.scanned_at
        status, body = pages.ready(troubles, scanned_at, self._clock(), self._cycle_seconds)
        return status, TEXT, body

    def _status(self) -> tuple[int, str, str]:
        return 200, TEXT, pages.status(self._pool.pool, self._by_unit(self._books.holders), time.time() - self._clock())

    def _metrics(self) -> tuple[int, str, str]:
        scanned_at = self._pool.scanned_at
        current: dict[Holding, Sequence[PodRef]] = {
            holding: self._books.holders(holding) for holding, _ in self._pool.ledger.entries
        }
        page = plugin_metrics.page(
            self._pool.pool,
            current,
            self._counts,
            {resource: endpoint.registrations for resource, endpoint in self._endpoints.items()},
            None if scanned_at is None else self._clock() - scanned_at,
            self._reader.stuck_threads,
        )
        return 200, METRICS, render_metrics(page)
