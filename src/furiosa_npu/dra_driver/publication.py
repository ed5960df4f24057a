"""Keeps a node's ResourceSlices as wanted: what to ask the API server next, and what its answers mean. No I/O in here.

    publication.offer(cards, now)
    requests = publication.take(now); ...; notices = publication.answered(answers, now, random); publication.due_at()

The node's UID, its slices and the DeviceClasses are read first, and again whenever somebody else may have changed them:
after an answer that did not come, a conflict, or `doubt`. From then on each answer says how a slice stands. In peace
nothing is written; the slices alone are read every few minutes, since nobody tells of one that was deleted, and where
they are not as wanted all is read before anything is written: the node may have been made anew.
"""

from collections.abc import Sequence

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.node import get_node
from furiosa_npu.cluster.objects import uid_of
from furiosa_npu.cluster.resource_slice_json import parse
from furiosa_npu.cluster.resource_slice_requests import list_slices, slices_of
from furiosa_npu.cluster.resource_slices import Owner, Slice
from furiosa_npu.cluster.retry import delay_seconds
from furiosa_npu.cluster.slice_layout import is_slice_name
from furiosa_npu.dra_driver.device_classes import LIST_CLASSES, lacking
from furiosa_npu.dra_driver.devices import CardDevices
from furiosa_npu.dra_driver.gates import Gates, admitted, evident, learned, storable
from furiosa_npu.dra_driver.publication_plan import Write, next_writes
from furiosa_npu.dra_driver.publication_trouble import (
    COUNTERS_OFF,
    TAINTS_OFF,
    Notice,
    Trouble,
    altered,
    counters_refused,
    stranger,
    trouble,
    unreadable,
)

GATHER_SECONDS = 0.1
"""From a change to its writing, so that what happens together is written together."""

DOUBT_SECONDS = (4.0, 24.0, 64.0, 170.0, 310.0)
"""When the slices are read again after the first answer since `doubt`: a kubelet that starts deletes them, and tries
that again where the API server does not answer it, after up to 256 s and a fifth (`wipeResourceSlices`)."""

DOUBT_SPREAD = 0.25
"""By up to so much of it each comes later: kubelets of many nodes may have started at once."""

RECHECK_SECONDS = 600.0
"""The slices are read so often at least; half of it is left to chance."""


class Publication:
    """The slices of one driver on one node."""

    def __init__(self, driver: str, node: str, not_before: float = float("-inf")) -> None:
        """Before `not_before` nothing is asked (cluster/retry.py). Raises ValueError for what is no node's name."""
        self.gates = Gates()
        self._driver = driver
        self._node = node
        self._reading = (get_node(node), list_slices(driver, node), LIST_CLASSES)
        self._slices = self._reading[1]
        self._cards: tuple[CardDevices, ...] | None = None
        self._owner: Owner | None = None
        self._stored: dict[str, Slice] = {}
        self._known = False
        """`_owner` and `_stored` are how it is there"""
        self._requests: tuple[ApiRequest, ...] = ()
        self._writes: tuple[Write, ...] = ()
        """what the requests write; empty where they read"""
        self._due_at: float | None = None
        self._looks: tuple[float, ...] = ()
        self._doubted = False
        """since the slices were last read"""
        self._retry_at = not_before
        self._failures = 0
        self._trouble: Trouble | None = None
        self._said: set[str] = set()
        """troubles, by kind, since all was as wanted"""
        self._off: set[Notice] = set()
        """what was said of feature gates and classes, once and for all"""
        self._written = 0
        """slices, since all was as wanted"""

    def offer(self, cards: Sequence[CardDevices], now: float) -> None:
        """These are to be published from now on; none: there are no slices of this node then."""
        if self._cards == tuple(cards):
            return
        due_at = now if self._cards is None else now + GATHER_SECONDS
        self._due_at = due_at if self._due_at is None else min(self._due_at, due_at)
        self._cards = tuple(cards)

    def doubt(self, now: float) -> None:
        """The kubelet was started anew, or something else happened with which slices may have been deleted: all is read
        at `now`.
        """
        self._looks, self._doubted = (now,), True

    def due_at(self) -> float | None:
        """When `take` gives something; None: nothing is wanted yet, or an answer has to come first."""
        if self._requests or self._cards is None:
            return None
        times = [*self._looks[:1], *(() if self._due_at is None else (self._due_at,))]
        return max(self._retry_at, min(times)) if times else None

    def take(self, now: float) -> tuple[ApiRequest, ...]:
        """What to ask now, in this order, all of it by one child; nothing more before `answered`."""
        due_at = self.due_at()
        if due_at is None or now < due_at:
            return ()
        is_write_due = self._due_at is not None and self._due_at <= now
        is_look_due = bool(self._looks) and self._looks[0] <= now and (self._doubted or not is_write_due)
        if is_look_due or not self._known:
            self._looks = tuple(at for at in self._looks if at > now)
            self._requests = self._reading if self._doubted or not self._known else (self._slices,)
            return self._requests
        self._due_at = None
        self._writes = self._next_writes()
        self._requests = tuple(write.request() for write in self._writes)
        return self._requests

    def answered(self, answers: Sequence[Answer], now: float, random: float) -> tuple[Notice, ...]:
        """An answer for each request of `take`, in order. `random` (0 to 1) spreads the retries of many nodes."""
        requests, self._requests = self._requests, ()
        writes, self._writes = self._writes, ()
        notices: list[Notice] = []
        if any(answer.status is None or answer.status >= 500 for answer in answers):  # perhaps it is being upgraded
            self.gates = self.gates.in_doubt()
        if writes:
            found = self._take_in(writes, requests, answers, notices)
        else:
            found = self._read(requests, answers, notices)
            if self._doubted and found is None:
                late = 1.0 + DOUBT_SPREAD * random
                self._looks, self._doubted = tuple(now + seconds * late for seconds in DOUBT_SECONDS), False
            elif not self._looks:
                self._looks = (now + RECHECK_SECONDS * (0.5 + 0.5 * random),)
        self._trouble = found
        if writes and found is None:
            self._failures = 0
        if found is not None:
            self._known = False
            self._failures += 1
            self._due_at, self._retry_at = now, now + delay_seconds(self._failures, random)
            if found.kind not in self._said and found.notice is not None:
                notices.append(found.notice)
            self._said.add(found.kind)
        elif self._next_writes():
            self._due_at, self._known = now, requests != (self._slices,)
        else:
            notices += self._settled()
        return tuple(notices)

    def unsettled(self) -> str | None:
        """Why the slices are not, or not known to be, as wanted; None: they are."""
        if self._trouble is not None:
            return self._trouble.text
        if self._cards is None:
            return "it is not known yet what to publish"
        if not self._known:
            return "the API server was not asked yet"
        return "the resource slices are being written" if self._writes or self._next_writes() else None

    def _next_writes(self) -> tuple[Write, ...]:
        if self._owner is None or self._cards is None:
            return ()
        return next_writes(admitted(self._cards, self.gates), self._stored, self._owner, self.gates)

    def _read(self, requests: Sequence[ApiRequest], answers: Sequence[Answer], notices: list[Notice]) -> Trouble | None:
        """What of the classes can be known is said; without it slices are published all the same."""
        told = dict(zip(requests, answers, strict=True))
        classes = told.pop(LIST_CLASSES, None)
        for request, answer in told.items():
            found = trouble(request, answer)
            if found is not None:
                return found
        owner = self._owner
        try:
            if len(told) > 1:
                owner = Owner(self._driver, self._node, uid_of(answers[0].body))
            self._stored = {found.name: found for found in slices_of(told[self._slices].body)}
        except ValueError as error:
            return unreadable(error)
        self._owner, self._known = owner, True
        for stored in self._stored.values():
            if stored.content is not None:
                self.gates = evident(self.gates, stored.content)
        if classes is not None:
            self._say_once(lacking(classes), notices)
        return None

    def _take_in(
        self,
        writes: Sequence[Write],
        requests: Sequence[ApiRequest],
        answers: Sequence[Answer],
        notices: list[Notice],
    ) -> Trouble | None:
        """What stands there now. The first trouble counts: those behind it often follow from it."""
        first: Trouble | None = None
        for write, request, answer in zip(writes, requests, answers, strict=True):
            found = counters_refused(answer)
            if found is not None:
                self.gates = self.gates._replace(counters=False)
            found = found or trouble(request, answer)
            if found is None:
                self._written += 1
                found = self._take_in_one(write, answer, notices)
            first = first or found
        return first

    def _take_in_one(self, write: Write, answer: Answer, notices: list[Notice]) -> Trouble | None:
        if write.content is None:
            self._stored.pop(write.name, None)
            if not is_slice_name(write.name, write.owner):
                notices.append(stranger(write.name))
            return None
        try:
            stored = parse(answer.body)
        except ValueError as error:
            return unreadable(error)
        self._stored[stored.name] = stored
        if stored.content is not None:
            self.gates = learned(self.gates, write.content, stored.content)
        off = ((self.gates.counters, COUNTERS_OFF), (self.gates.taints, TAINTS_OFF))
        self._say_once([notice for gate, notice in off if gate is False], notices)
        expected = write._replace(content=storable(write.content, self.gates))
        return None if expected.is_done(stored) else altered(write.name)

    def _say_once(self, said: Sequence[Notice], notices: list[Notice]) -> None:
        notices += [notice for notice in said if notice not in self._off]
        self._off.update(said)

    def _settled(self) -> list[Notice]:
        """All is as wanted; what there is to say of it."""
        notices = []
        if self._said:
            notices.append(Notice("info", "the resource slices stand as they should again"))
        if self._written:
            devices = [device for found in self._stored.values() if found.content for device in found.content.devices]
            tainted = sum(bool(device.taints) for device in devices)
            generation = max((found.pool.generation for found in self._stored.values()), default=0)
            text = (
                f"published: {len(devices)} devices, {tainted} of them tainted, in {len(self._stored)} resource slices"
            )
            notices.append(Notice("info", f"{text}, generation {generation}"))
        self._said.clear()
        self._failures = self._written = 0
        return notices
