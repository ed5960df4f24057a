"""The process of an agent that watches cards, from its command line to its end. What only an agent that runs needs is
imported then; docs/dependencies.md has the figures.
"""

import gc
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from furiosa_npu.agent.address import Address
from furiosa_npu.agent.log import Log
from furiosa_npu.agent.settings import Invocation, Program, load, wrong_use
from furiosa_npu.watch.options import ProbationSettings, contradiction


class ProcessSettings(ProbationSettings, Protocol):
    """What of an agent's settings its process goes by."""

    @property
    def log_format(self) -> str: ...
    @property
    def log_level(self) -> str: ...
    @property
    def listen_address(self) -> Address | None: ...


S = TypeVar("S", bound=ProcessSettings)


def invoked(program: Program, settings: Callable[..., S]) -> Invocation[S]:
    """How the agent was called. `status` is done here and ends the process, as `--help` and wrong use do."""
    invocation = load(program, settings, tuple(sys.argv[1:]), os.environ)
    complaint = contradiction(invocation.settings, invocation.origins)
    if complaint is not None:
        wrong_use(program, complaint)
    if invocation.subcommand == "status":
        from furiosa_npu.watch.status_command import status

        raise SystemExit(status(program.name, invocation.settings.listen_address))
    return invocation


def ready(settings: ProcessSettings) -> Log:
    """The log, with the process made ready for what asyncio and grpclib import: before either is."""
    gc.disable()  # until `run`: what is imported stays
    from furiosa_npu.agent.late_logging import put_late_logging
    from furiosa_npu.watch.late_imports import put_late_modules

    log = Log(settings.log_format, settings.log_level)
    put_late_logging(log)
    put_late_modules()
    return log


def collect_garbage() -> None:
    """Of all objects, where many came since the last time and did not go at once, Python's own collector found: to be
    called often, when nobody waits for an answer. It would do so itself after 85,000 (700 * 11 * 11), at any moment;
    until then would stand what a kubelet's restarts leave in cycles."""
    if gc.get_count()[1]:
        gc.collect()


def run(serve: Callable[[], Coroutine[Any, Any, None]], log: Log) -> None:
    """Calls `serve` inside a loop, and runs what it gives; an OSError ends the process with 1."""
    import asyncio
    import signal

    async def serving() -> None:
        gc.freeze()  # what is there from the start is not looked through
        gc.enable()
        await serve()

    # asyncio.run would put a handler of its own in the default's place, and signal then describes that to us in words
    # that need `inspect`, when the agent sets its own.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        asyncio.run(serving())
    except OSError as error:
        log.error("cannot go on", error=str(error))
        raise SystemExit(1) from error
