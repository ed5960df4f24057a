"""Events that wait to be written: gathered, rate-limited, bounded in number. No I/O in here.

What happens again within ten minutes, or before it was written at all, is the same event with a higher count. An event
about a pod takes two rounds: the pod's UID is read first, each time, since the next pod may have its name.
"""

from typing import NamedTuple

from furiosa_npu.cluster.api import Answer, ApiRequest, Fate, fate
from furiosa_npu.cluster.bucket import Bucket
from furiosa_npu.cluster.events import Event, Record, Source, event_name, patch_event, post_event
from furiosa_npu.cluster.objects import get_pod, uid_of
from furiosa_npu.cluster.retry import REFUSALS, delay_seconds


class Limits(NamedTuple):
    """How much is written, and how soon."""

    gather_seconds: float = 1.0
    """from the first news to its writing, so that what happens together is written together"""
    burst: int = 25
    """events at once; then one in `refill_seconds`"""
    refill_seconds: float = 10.0
    same_seconds: float = 600.0
    """after which the same is a new event"""
    repeat_seconds: float = 60.0
    """between two writes of one event's count"""
    kept: int = 100
    """events, written and waiting: about 1 KiB each"""
    batch: int = 20
    """requests for one child"""
    refusals: int = REFUSALS


class Series(NamedTuple):
    """One event and how often it was seen."""

    record: Record
    said_at: float
    """seconds of the clock, when it was last seen"""
    due_at: float
    uid: str | None
    """of what it is about; None for a pod that was not asked for yet"""
    written: int = 0
    """the count that the API server has; 0: there is no such event yet"""
    written_uid: str | None = None
    """of what the event that the API server has, or may have, is about"""
    paid: bool = False
    """its token was taken"""
    failures: int = 0
    refusals: int = 0
    """answers in a row that forbade it"""
    unclear: int = 0
    """the count of the first POST of which nothing was heard: perhaps there is an event with it; 0: none was lost"""

    @property
    def waits(self) -> bool:
        return self.record.times > self.written


class EventQueue:
    """The events of one agent."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._bucket = Bucket(limits.burst, limits.refill_seconds)
        self._series: dict[Event, Series] = {}
        self._asked: dict[Event, Series] = {}
        self._serial = 0

    def say(self, event: Event, now: float, wall: float) -> int:
        """It happened, at `wall` (seconds since 1970). How many others were dropped for it."""
        uid = None if event.about.kind == "Pod" else event.about.name
        old = self._series.pop(event, None)
        if old is not None and (old.waits or now - old.said_at <= self._limits.same_seconds):
            record = old.record._replace(times=old.record.times + 1, last=wall)
            due_at = old.due_at if old.waits else max(now + self._limits.gather_seconds, old.due_at)
            self._series[event] = old._replace(record=record, said_at=now, due_at=due_at, uid=uid)
        else:
            record = Record(self._name(event, wall), 1, wall, wall)
            self._series[event] = Series(record, now, now + self._limits.gather_seconds, uid)
        return self._forget(now)

    def hurry(self, now: float) -> None:
        """There is no later: what is not written at all is due."""
        for event, series in self._series.items():
            if series.waits and not series.written:
                self._series[event] = series._replace(due_at=min(now, series.due_at))

    def waiting(self) -> int:
        """How many events are not written as they stand."""
        return sum(series.waits for series in self._series.values())

    def due_at(self) -> float | None:
        """When there is something to ask; None: nothing."""
        return min((self._series_due_at(series) for series in self._series.values() if series.waits), default=None)

    def take(self, now: float, room: int) -> list[tuple[Event, ApiRequest]]:
        """What to ask now, at most `room`, the oldest first; each answer goes to `answered`."""
        taken: list[tuple[Event, ApiRequest]] = []
        for event, series in self._series.items():
            if len(taken) >= room or event in self._asked or not series.waits or self._series_due_at(series) > now:
                continue
            if not series.paid:
                self._bucket = self._bucket.take(now)
                self._series[event] = series._replace(paid=True)
            taken.append((event, self._request(event, series)))
        for event, _ in taken:
            self._asked[event] = self._series[event]
        return taken

    def answered(
        self, event: Event, request: ApiRequest, answer: Answer, now: float, random: float, *, reached: bool
    ) -> Fate | None:
        """What became of the event; None: another round is needed. `reached`: the API server took or refused something
        just now, so that a trouble is this event's own, which waits by itself then and holds up no other.
        """
        asked, series = self._asked.pop(event), self._series[event]
        what: Fate | None = fate(answer)
        if answer.status == 403 and series.refusals + 1 < self._limits.refusals:
            what, refusals = "later", series.refusals + 1
            self._series[event] = series._replace(refusals=refusals, due_at=now + delay_seconds(refusals, random))
        elif what == "later":
            failures = series.failures + 1 if reached else 0
            due_at = now + delay_seconds(failures, random) if reached else series.due_at
            series = series._replace(failures=failures, due_at=due_at)
            if request.method == "POST" and not series.unclear:
                series = series._replace(unclear=asked.record.times, written_uid=asked.uid)
            self._series[event] = series
        elif request.method == "GET" and what == "written":
            what = self._uid_known(event, series, answer, now)
        elif request.method == "PATCH" and answer.status == 404:  # forgotten there: an event lives an hour
            record = series.record._replace(name=self._name(event, series.record.last))
            self._series[event] = series._replace(record=record, written=0, due_at=now)
            what = None
        elif what == "written" or (request.method == "POST" and answer.status == 409 and series.unclear):
            self._series[event] = series._replace(
                # A lost POST made the event that a 409 speaks of, with the count of that time: a PATCH brings the rest.
                written=asked.record.times if what == "written" else series.unclear,
                written_uid=asked.uid,
                due_at=now + self._limits.repeat_seconds,
                paid=False,
                failures=0,
                refusals=0,
                unclear=0,
            )
            what = "written"
        else:
            del self._series[event]
        return what

    def _uid_known(self, event: Event, series: Series, answer: Answer, now: float) -> Fate | None:
        try:
            uid = uid_of(answer.body)
        except ValueError:
            del self._series[event]
            return "refused"
        told = series.written or series.unclear
        if told and uid != series.written_uid:  # another pod of that name
            last = series.record.last
            record = Record(self._name(event, last), series.record.times - told, last, last)
            series = series._replace(record=record, written=0, unclear=0)
        self._series[event] = series._replace(uid=uid, failures=0, refusals=0, due_at=min(series.due_at, now))
        return None

    def _request(self, event: Event, series: Series) -> ApiRequest:
        if series.uid is None:
            return get_pod(event.about.namespace, event.about.name)
        if series.written:
            return patch_event(event.about, series.record)
        return post_event(event, series.record, series.uid, self._source)

    def _series_due_at(self, series: Series) -> float:
        return series.due_at if series.paid else max(series.due_at, self._bucket.free_at())

    def _name(self, event: Event, wall: float) -> str:
        self._serial += 1
        return event_name(event.about, int(wall * 1e6) * 1000 + self._serial % 1000)

    def _forget(self, now: float) -> int:
        """What was written and is over goes, and the oldest of too many; how many of those nobody will read."""
        over = now - self._limits.same_seconds
        for event in [event for event, series in self._series.items() if not series.waits and series.said_at < over]:
            del self._series[event]
        dropped = 0
        while len(self._series) > self._limits.kept:
            free = [event for event in self._series if event not in self._asked]
            if not free:
                break
            event = next((event for event in free if not self._series[event].waits), free[0])
            dropped += self._series.pop(event).waits
        return dropped
