"""Says what became of the cards: a line in the log, a count, events and the node's condition at the API server."""

from collections.abc import Callable, Mapping, Sequence

from furiosa_npu.agent.log import Log
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.cluster.events import Source
from furiosa_npu.cluster.writer import Writer
from furiosa_npu.health.verdict import State
from furiosa_npu.watch.kubelet_books import PodRef
from furiosa_npu.watch.reports import CardReport, Told, condition, final_condition, news, report

_QUIET = ("idle", "allocated", "disabled", "starting")


class Announcements:
    """What was said once of a card is not said again while it lasts."""

    def __init__(
        self, log: Log, on_transition: Callable[[str, State], None], writer: Writer | None, source: Source
    ) -> None:
        """`on_transition` is told the unit's id and the state that it came to from another; `writer`: None where there
        is no API server to tell, or no name of the node to tell it of; `source`: who speaks, and of which node."""
        self._log = log
        self._on_transition = on_transition
        self._writer = writer
        self._source = source
        self._told: dict[str, Told] | None = None
        self._reports: list[CardReport] | None = None
        self._unread: frozenset[str] = frozenset()
        """keys of the cards that were there at the start, and had not answered when something was said last"""
        self._unread_now: frozenset[str] | None = None
        """of those, the ones that have not answered yet"""
        self._said: dict[str, tuple[str, ...]] = {}
        self._owns_plane = False

    @property
    def writes_failing(self) -> bool:
        """The API server does not take what is written."""
        return self._writer is not None and self._writer.outbox.failing

    def say(self, pool: Pool, holders: Mapping[str, Sequence[PodRef]], unread: frozenset[str] | None) -> None:
        """`holders` by unit id, as far as the kubelet has told of them. `unread`: keys of the cards that have never
        answered; None: which cards there are is not known yet, and nothing that comes is news."""
        reports = [report(unit, holders.get(unit.id, ())) for unit in pool.values()]
        if reports == self._reports and self._told is not None:
            return
        self._reports = reports
        for card in reports:
            self._log_it(card)
        self._unread_now = unread
        self._tell()

    def own_plane(self) -> None:
        """This node's cards are this plane's to hand out, who holds them has been asked, and what is wrong with them is
        its to say from now on. To an agent that waits, or has just started, cards in use are in use by strangers; and
        the node's condition it would say over the agent that serves, and that one its last word over what the next one
        said."""
        self._owns_plane = True
        self._tell()

    async def last(self) -> None:
        """The agent ends."""
        if self._writer is not None and self._owns_plane:
            await self._writer.last(final_condition(self._source.component))

    def _tell(self) -> None:
        """At the API server."""
        if self._writer is None or not self._owns_plane or self._reports is None:
            return
        unread = self._unread_now
        if unread is not None:
            before = unread if self._told is None else self._unread
            self._told, events = news(self._told, self._reports, self._source.host, before)
            self._unread = before & unread
            for event in events:
                self._writer.say(event)
        if self._reports or unread == frozenset():  # cards that have not answered yet are there all the same
            self._writer.hold(condition(self._reports))

    def _log_it(self, card: CardReport) -> None:
        now = (card.state, card.reason, *(text for _, text in card.warnings))
        before = self._said.get(card.uuid)
        if before == now:
            return
        self._said[card.uuid] = now
        if before is not None and before[0] != card.state:
            self._on_transition(card.uuid, card.state)
        say = self._log.info if card.state in _QUIET and not card.warnings else self._log.warning
        reason = "; ".join(filter(None, now[1:])) or None
        say("card", npu=card.name, uuid=card.uuid, state=card.state, reason=reason)
