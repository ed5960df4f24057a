"""Asks the API server and waits for the answers: for commands, which have nothing else to do meanwhile."""

import select
from collections.abc import Callable, Sequence

from furiosa_npu.cluster.api import Access, Answer, ApiRequest
from furiosa_npu.cluster.child import Call

Ask = Callable[[Sequence[ApiRequest]], tuple[Answer, ...]]
"""An answer for each request, in order; after an error none of the rest is sent."""


def ask_and_wait(access: Access, requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
    """The answers, or that none came in time."""
    try:
        call = Call(access, requests)
    except OSError as error:
        reason = f"no child process for the API server: {error.strerror or error}"
        return (Answer(None, None, reason),) * len(requests)
    return wait_for(call)


def wait_for(call: Call) -> tuple[Answer, ...]:
    """The answers of a call that is on its way, or that none came in time."""
    waiting = select.poll()
    waiting.register(call.fileno(), select.POLLIN)
    answers = None
    while answers is None:
        answers = call.receive() if waiting.poll(1000 * call.limit_seconds) else call.abandon()
    return answers
