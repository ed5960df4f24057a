"""Asks as the agents' child program does (cluster/request.py), in a thread: not in thousands of processes."""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future

from furiosa_npu.cluster.api import Access, Answer, ApiRequest
from furiosa_npu.cluster.request import answers


class Threads:
    """One way to the API server for the agents of a kind on all nodes."""

    def __init__(self, access: Access, executor: Executor) -> None:
        self.access = access
        self._executor = executor

    async def ask(self, requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        """As `cluster.ask.ask`."""
        return await asyncio.wrap_future(self._submit(self.access, requests))

    def send(
        self,
        access: Access,
        requests: Sequence[ApiRequest],
        clock: Callable[[], float],
        environment: Mapping[str, str],  # threads have ours
    ) -> "ThreadCall":
        """As `cluster.writer.Send`."""
        return ThreadCall(self._submit(access, requests), len(requests), clock() + 3 * access.timeout_seconds)

    def _submit(self, access: Access, requests: Sequence[ApiRequest]) -> Future[tuple[Answer, ...]]:
        return self._executor.submit(all_answers, access, tuple(requests))


class ThreadCall:
    """As `cluster.child.Call`."""

    def __init__(self, answered: Future[tuple[Answer, ...]], count: int, deadline: float) -> None:
        self.deadline = deadline
        self._answered = answered
        self._count = count
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._closed = False
        answered.add_done_callback(lambda _: self._wake())

    def fileno(self) -> int:
        return self._descriptor

    def receive(self) -> tuple[Answer, ...] | None:
        if not self._answered.done():
            return None
        self._close()
        return self._answered.result()

    def abandon(self) -> tuple[Answer, ...]:
        """A thread cannot be killed: what it asks yet, nobody hears the answer of."""
        self._close()
        self._answered.cancel()
        return (Answer(None, None, "nobody waits for it any more"),) * self._count

    def _wake(self) -> None:
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._descriptor, 1)

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            os.close(self._descriptor)


def all_answers(access: Access, requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
    """One a request: an error stands for all that was not sent after it."""
    told = list(answers(access, requests))
    return tuple(told) + (told[-1],) * (len(requests) - len(told))
