"""The labeller's process: wires looks, labels, the API server's child and the probes, and keeps time."""

import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from furiosa_npu.agent.address import Address
from furiosa_npu.agent.http import Listener
from furiosa_npu.agent.http_request import METRICS, TEXT
from furiosa_npu.agent.log import Log
from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.child import Call
from furiosa_npu.node_labeller import pages
from furiosa_npu.node_labeller.device_events import DeviceEvents, Watch
from furiosa_npu.node_labeller.label_keeper import LabelKeeper
from furiosa_npu.node_labeller.labels import Sight
from furiosa_npu.node_labeller.loop import Loop
from furiosa_npu.node_labeller.news import news
from furiosa_npu.node_labeller.rescan import Rescan, after_event, after_look


class Node(NamedTuple):
    """The node's hardware as the agent meets it."""

    look: Callable[[bool], Sight]
    """told whether something may have happened since the last look"""
    watch: Callable[[], Watch]
    """raises OSError where the kernel has no watch left"""


class Labeller:
    """One labeller. `step` does whatever is due and waits for the next event; it is called until it is to end."""

    def __init__(
        self,
        node: Node,
        keeper: LabelKeeper,
        send: Callable[[ApiRequest], Call | Answer],
        log: Log,
        rescan_seconds: int,
        silicon_hwtype: str | None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = lambda: 0.5,
    ) -> None:
        """`send` sets a request on its way, or answers it at once; or raises OSError where no process can be had."""
        self._look_at_node = node.look
        self._keeper = keeper
        self._send = send
        self._log = log
        self._rescan_seconds = rescan_seconds
        self._silicon_hwtype = silicon_hwtype
        self._clock = clock
        self._random = random
        self.loop = Loop()
        self._listener: Listener | None = None
        self._events = DeviceEvents(node.watch, self.loop, log, self._something_happened)
        self._call: Call | None = None
        self._rescan = Rescan(clock())
        self._looked = clock()
        self._looked_at: float | None = None
        self._sight: Sight | None = None
        self._writes: Counter[str] = Counter()

    def listen(self, address: Address) -> int:
        """Serves the probes; the port in use. Raises OSError."""
        shown = {
            "/livez": lambda: _page(TEXT, *pages.livez(self._condition())),
            "/readyz": lambda: _page(TEXT, *pages.readyz(self._condition())),
            "/metrics": lambda: _page(METRICS, 200, pages.metrics(self._condition())),
        }
        self._listener = Listener(address, shown, self.loop.add_reader, self.loop.remove_reader, self._clock)
        return self._listener.port

    def step(self) -> None:
        """Looks and asks where that is due, then waits for the next event."""
        now = self._clock()
        if now >= self._rescan.at:
            self._look(now)
        if self._call is not None and now >= self._call.deadline:
            self._answered(abandon=True)
        while self._call is None and (request := self._keeper.due(now)) is not None:
            self._ask(request, now)
        deadlines = [self._rescan.at]
        if self._call is not None:
            deadlines.append(self._call.deadline)
        elif (retry_at := self._keeper.retry_at()) is not None:
            deadlines.append(retry_at)
        self.loop.turn(max(0.0, min(deadlines) - self._clock()))

    def close(self) -> None:
        """The node's labels stay as they are."""
        if self._call is not None:
            self.loop.remove_reader(self._call.fileno())
            self._call.abandon()
        self._events.close()
        if self._listener is not None:
            self._listener.close()
        self.loop.close()

    def _look(self, now: float) -> None:
        failed = self._sight is not None and bool(self._sight.failures)
        happened = self._events.renew(failed or self._rescan.first_event is not None)
        sight = self._look_at_node(happened)
        watching = self._events.missing is None and not sight.failures and not sight.claims
        self._rescan = after_look(now, self._rescan_seconds, watching=watching)
        self._looked, self._looked_at = now, time.time()
        again_at = self._keeper.look(sight, now)
        if again_at is not None:
            self._rescan = Rescan(min(self._rescan.at, again_at))
        for level, message, fields in news(self._sight, sight, self._silicon_hwtype):
            self._log.entry(level, message, dict(fields))
        self._sight = sight

    def _something_happened(self) -> None:
        self._rescan = after_event(self._rescan, self._clock())

    def _ask(self, request: ApiRequest, now: float) -> None:
        try:
            sent = self._send(request)
        except OSError as error:
            sent = Answer(None, None, f"no child process for the API server: {error.strerror or error}")
        if isinstance(sent, Answer):
            self._take(request, sent, now)
            return
        self._call = sent
        self.loop.add_reader(sent.fileno(), self._answered)

    def _answered(self, *, abandon: bool = False) -> None:
        call = self._call
        if call is None:
            return
        number = call.fileno()
        answers = call.abandon() if abandon else call.receive()
        if answers is not None:
            self.loop.remove_reader(number)
            self._call = None
            self._take(call.requests[0], answers[0], self._clock())

    def _take(self, request: ApiRequest, answer: Answer, now: float) -> None:
        complaint_before = self._keeper.complaint
        outcome = self._keeper.answered(request, answer, now, self._random())
        if request.method != "GET":
            self._writes["failure" if outcome.complaint else "success"] += 1
        if outcome.complaint is not None:
            say = self._log.debug if outcome.complaint == complaint_before else self._log.warning
            say("labels not written", reason=outcome.complaint, retry_seconds=round(outcome.retry_seconds or 0, 1))
        elif complaint_before is not None:
            self._log.info("the API server answers")
        if request.method == "GET" and outcome.complaint is None and self._keeper.unsettled() is None:
            self._log.info("the node's labels are as wanted")
        for name, value in outcome.written.items():
            if value is None:
                self._log.info("label removed", label=name)
            else:
                self._log.info("label written", label=name, value=value)

    def _condition(self) -> pages.Condition:
        return pages.Condition(
            sight=self._sight,
            looked_at=self._looked_at,
            seconds_since_look=self._clock() - self._looked,
            rescan_seconds=self._rescan_seconds,
            unsettled=self._keeper.unsettled(),
            polling=self._events.missing,
            writes=self._writes,
        )


def _page(content_type: str, status: int, body: str) -> tuple[int, str, str]:
    return status, content_type, body
