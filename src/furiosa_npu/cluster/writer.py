"""Writes what the outbox holds: one child at a time, driven by asyncio's loop. A thin shell.

writer = Writer(Outbox(source), Access(kubeconfig), remark)
writer.hold(condition); writer.say(event)     # from the loop's thread; neither waits
await writer.last(condition)                  # at SIGTERM: at most LAST_SECONDS
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from furiosa_npu.cluster.api import Access, Answer, ApiRequest, is_configured
from furiosa_npu.cluster.child import Call
from furiosa_npu.cluster.condition import Condition
from furiosa_npu.cluster.events import Event
from furiosa_npu.cluster.outbox import Outbox, Remark
from furiosa_npu.cluster.retry import chance

LAST_SECONDS = 0.7
"""for the last write: the agent has to be gone a second after SIGTERM"""


class Pending(Protocol):
    """Requests on their way: `cluster.child.Call` says what each of these is."""

    deadline: float

    def fileno(self) -> int: ...

    def receive(self) -> tuple[Answer, ...] | None: ...

    def abandon(self) -> tuple[Answer, ...]: ...


Send = Callable[[Access, Sequence[ApiRequest], Callable[[], float], Mapping[str, str]], Pending]
"""Sets requests on their way, by a clock and with an environment. Raises OSError."""


class Writer:
    """The API server's side of an agent whose loop is asyncio's. To be made in that loop."""

    def __init__(
        self,
        outbox: Outbox,
        access: Access,
        remark: Callable[[Remark], object],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Callable[[], float] = chance,
        environment: Mapping[str, str] | None = None,
        send: Send = Call,
        last_seconds: float = LAST_SECONDS,
    ) -> None:
        """`remark` takes what the log should say; `environment` (default: ours) is the child's too; `last_seconds`: the
        most that `last` takes.
        """
        environment = os.environ if environment is None else environment
        has_token = access.kubeconfig is not None or os.path.exists(f"{access.service_account}/token")
        self.enabled = has_token and is_configured(access.kubeconfig, environment)
        """False: there is no API server to write to, or a pod without a token, and nothing is done"""
        self.outbox = outbox
        self._access = access
        self._remark = remark
        self._clock = clock
        self._wall = wall
        self._random = random
        self._environment = environment
        self._loop = asyncio.get_running_loop()
        self._send = send
        self._last_seconds = last_seconds
        self._call: Pending | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._ended = False

    def hold(self, condition: Condition) -> None:
        """The node's condition is this from now on; written only where it differs from what was written last."""
        if self.enabled and not self._ended:
            self.outbox.hold(condition, self._clock(), self._wall())
            self._arrange()

    def say(self, event: Event) -> None:
        """It happened now."""
        if self.enabled and not self._ended:
            self._tell(self.outbox.say(event, self._clock(), self._wall()))
            self._arrange()

    async def last(self, condition: Condition) -> None:
        """Writes `condition` and what waits, whatever was waited for, and ends; after `last_seconds` without it."""
        if self.enabled and not self._ended:
            self._ended = True
            self._abandon()
            self._ask(self.outbox.take_last(condition, self._clock(), self._wall()))
            try:
                async with asyncio.timeout(self._last_seconds):
                    while self._call is not None:
                        self._idle.clear()
                        await self._idle.wait()
                        self._due()  # the second round, of events about pods
            except TimeoutError:
                self._remark(Remark("warning", f"the last of it was not written within {self._last_seconds:g} s"))
        self.close()

    def close(self) -> None:
        """The child is gone then; nothing more is written."""
        self._ended = True
        self._abandon()

    def _abandon(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._call is not None:
            self._answered(abandon=True)

    def _arrange(self) -> None:
        """What waits is asked when it is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_at = self.outbox.due_at()
        if due_at is not None and self._call is None and not self._ended:
            self._timer = self._loop.call_later(max(0.0, due_at - self._clock()), self._due)

    def _due(self) -> None:
        self._ask(self.outbox.take(self._clock(), self._wall()))

    def _ask(self, requests: tuple[ApiRequest, ...]) -> None:
        if not requests:
            self._arrange()
            return
        try:
            self._call = call = self._send(self._access, requests, self._clock, self._environment)
        except OSError as error:
            reason = f"no child process for the API server: {error.strerror or error}"
            self._take((Answer(None, None, reason),) * len(requests))
            return
        self._loop.add_reader(call.fileno(), self._answered)
        self._timer = self._loop.call_later(max(0.0, call.deadline - self._clock()), self._abandon)

    def _answered(self, *, abandon: bool = False) -> None:
        call = self._call
        if call is None:
            return
        number = call.fileno()
        if abandon:
            self._loop.remove_reader(number)
        answers = call.abandon() if abandon else call.receive()
        if answers is not None:
            self._loop.remove_reader(number)
            self._call = None
            if self._timer is not None:
                self._timer.cancel()
            self._take(answers, broken_off=abandon and self._ended)

    def _take(self, answers: tuple[Answer, ...], *, broken_off: bool = False) -> None:
        self._tell(self.outbox.answered(answers, self._clock(), self._random(), broken_off=broken_off))
        self._idle.set()
        self._arrange()

    def _tell(self, remarks: tuple[Remark, ...]) -> None:
        for remark in remarks:
            self._remark(remark)
