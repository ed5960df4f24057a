"""What an agent answers over HTTP, of its state at the moment: probes, `/status`, `/metrics`."""

import time
from collections.abc import Callable, Mapping, Sequence

from furiosa_npu.agent.http_request import METRICS, TEXT
from furiosa_npu.agent.metrics import Page, render_metrics
from furiosa_npu.allocation.ledger import Holding, Ledger
from furiosa_npu.watch import pages
from furiosa_npu.watch.cycle import Cycle
from furiosa_npu.watch.kubelet_books import PodRef
from furiosa_npu.watch.npu_pool import NpuPool

Holders = Callable[[Holding], Sequence[PodRef]]
"""Who holds it, as far as that is known."""


class Web:
    """Its `routes` are for agent.http's Listener."""

    def __init__(
        self,
        pool: NpuPool,
        cycle: Cycle,
        cycle_seconds: float,
        holders: Holders,
        troubles: Callable[[], Sequence[tuple[str, str]]],
        metrics: Callable[[Mapping[Holding, Sequence[PodRef]], float | None], Page],
        clock: Callable[[], float],
    ) -> None:
        """`troubles`: parts that fail and why; `metrics` is given who holds what, and how many seconds ago the last
        scan was, None where there was none."""
        self._pool = pool
        self._cycle = cycle
        self._cycle_seconds = cycle_seconds
        self._holders = holders
        self._troubles = troubles
        self._page = metrics
        self._clock = clock
        self.routes: dict[str, Callable[[], tuple[int, str, str]]] = {
            "/livez": self._live,
            "/readyz": self._ready,
            "/status": self._status,
            "/metrics": self._metrics,
        }
        """path to status, content type and body"""

    def _live(self) -> tuple[int, str, str]:
        status, body = pages.live(self._cycle.turned_at, self._clock(), self._cycle_seconds)
        return status, TEXT, body

    def _ready(self) -> tuple[int, str, str]:
        status, body = pages.ready(self._troubles(), self._pool.scanned_at, self._clock(), self._cycle_seconds)
        return status, TEXT, body

    def _status(self) -> tuple[int, str, str]:
        held = by_unit(self._pool.ledger, self._holders)
        return 200, TEXT, pages.status(self._pool.pool, held, time.time() - self._clock())

    def _metrics(self) -> tuple[int, str, str]:
        scanned_at = self._pool.scanned_at
        current = {holding: self._holders(holding) for holding, _ in self._pool.ledger.entries}
        age = None if scanned_at is None else self._clock() - scanned_at
        return 200, METRICS, render_metrics(self._page(current, age))


def by_unit(ledger: Ledger, holders: Holders) -> dict[str, list[PodRef]]:
    """The pods that hold each unit, under whichever name."""
    held: dict[str, list[PodRef]] = {}
    for holding, _ in ledger.entries:
        held.setdefault(holding.unit, []).extend(holders(holding))
    return held
