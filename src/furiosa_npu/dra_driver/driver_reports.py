"""What the driver says: log lines, events and the node's condition of its cards, and what it answers over HTTP."""

from collections.abc import Callable, Mapping, Sequence

from furiosa_npu.agent.log import Log
from furiosa_npu.agent.metrics import Page
from furiosa_npu.allocation.ledger import Holding
from furiosa_npu.cluster.api import Access
from furiosa_npu.cluster.events import Event, Source
from furiosa_npu.cluster.objects import the_node
from furiosa_npu.cluster.outbox import Outbox
from furiosa_npu.cluster.writer import Writer
from furiosa_npu.dra_driver.driver_metrics import Counts, page
from furiosa_npu.dra_driver.settings import PROGRAM
from furiosa_npu.watch.announcements import Announcements
from furiosa_npu.watch.card_metrics import WatchFigures
from furiosa_npu.watch.card_watch import CardWatch
from furiosa_npu.watch.cycle import Cycle
from furiosa_npu.watch.kubelet_books import PodRef
from furiosa_npu.watch.web import Holders, Web, by_unit


class DriverReports:
    """One instance's. Made inside a running loop."""

    def __init__(self, node_name: str, watch: CardWatch, access: Access, not_before: float, log: Log) -> None:
        """Before `not_before` the API server is told nothing (cluster/retry.py)."""
        self.counts = Counts()
        self._node_name = node_name
        self._watch = watch
        source = Source(PROGRAM.name, node_name)
        self._writer = Writer(
            Outbox(source, not_before=not_before), access, lambda remark: log.entry(remark.level, remark.text, {})
        )
        self.announcements = Announcements(log, self.counts.transitions.count, self._writer, source)

    def announce(self, holders: Holders) -> None:
        """Of whole cards: what is wrong with one is wrong with its parts."""
        pool = self._watch.pool
        cards = {unit_id: unit for unit_id, unit in pool.pool.items() if unit.card.pes is None}
        self.announcements.say(cards, by_unit(pool.ledger, holders), pool.unread)

    def say_of_node(self, reason: str, text: str) -> None:
        self._writer.say(Event(the_node(self._node_name), "Warning", reason, text))

    def web(
        self,
        cycle: Cycle,
        cycle_seconds: float,
        holders: Holders,
        unsettled: Callable[[], str | None],
        registrations: Callable[[], int],
        clock: Callable[[], float],
    ) -> Web:
        """`unsettled`: why the slices are not as wanted, or None; `registrations`: that the kubelet took."""

        def troubles() -> Sequence[tuple[str, str]]:
            found, slices = self._watch.conditions.troubles(), unsettled()
            return found if slices is None else (*found, ("slices", slices))

        def metrics(current: Mapping[Holding, Sequence[PodRef]], scanned_seconds_ago: float | None) -> Page:
            parts = tuple(part for part, _ in troubles())
            stuck, failing = self._watch.reader.stuck_threads, self.announcements.writes_failing
            figures = WatchFigures(scanned_seconds_ago, stuck, parts, failing)
            return page(self._watch.pool.pool, current, self.counts, registrations(), figures)

        return Web(self._watch.pool, cycle, cycle_seconds, holders, troubles, metrics, clock)
