"""The parent's side of a request: starts the child, is told by a file descriptor, never waits.

    call = Call(access, request)
    loop.add_reader(call.fileno(), ...)      # readable: call.receive(); None means more is to come
    loop.call_at(call.deadline, ...)         # too late: call.abandon()

`posix_spawn` (vfork underneath) copies no memory, whatever the parent's size.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping

from furiosa_npu.cluster.api import Access, Answer, ApiRequest


class Call:
    """One request on its way. Raises OSError from the start where no process can be had."""

    def __init__(
        self,
        access: Access,
        request: ApiRequest,
        clock: Callable[[], float] = time.monotonic,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.request = request
        self.deadline = clock() + 3 * access.timeout_seconds
        """by the clock: when to `abandon` it"""
        self._limit_seconds = 3 * access.timeout_seconds
        self._received = b""
        question = json.dumps({**request._asdict(), "access": access._asdict()}).encode()
        stdin = os.memfd_create("request")
        self._stdout, stdout = os.pipe()
        try:
            os.write(stdin, question)
            os.lseek(stdin, 0, os.SEEK_SET)
            os.set_blocking(self._stdout, False)
            self._pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *_interpreter_flags(), "-m", "furiosa_npu.cluster.request"],
                os.environ if environment is None else environment,
                file_actions=[(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, stdout, 1)],
                setsigmask=(),
                setsigdef=(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD),
            )
        except OSError:
            os.close(self._stdout)
            raise
        finally:
            os.close(stdin)
            os.close(stdout)

    def fileno(self) -> int:
        """Readable when there is something to `receive`."""
        return self._stdout

    def receive(self) -> Answer | None:
        """The answer, once it is whole; then everything is given back. Never blocks."""
        try:
            while data := os.read(self._stdout, 65536):
                self._received += data
        except BlockingIOError:
            return None
        return _answer(self._received, self._reap())

    def abandon(self) -> Answer:
        """It took too long, or the agent stops: the child is killed."""
        os.kill(self._pid, signal.SIGKILL)
        self._reap()
        return Answer(None, None, f"the API server was asked and nothing came within {self._limit_seconds:g} s")

    def _reap(self) -> int:
        """Exit code; negative is the signal that ended it. Its end of the pipe is closed or it is killed: no wait."""
        os.close(self._stdout)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def _interpreter_flags() -> list[str]:
    """Isolated, and as optimised as we are: the image holds bytecode of one optimisation level alone."""
    flags = ["-I"]
    if sys.flags.optimize:
        flags.append("-" + "O" * sys.flags.optimize)
    for name, value in sys._xoptions.items():
        flags += ["-X", name if value is True else f"{name}={value}"]
    return flags


def _answer(received: bytes, exit_code: int) -> Answer:
    try:
        answer = json.loads(received)
    except ValueError:
        return Answer(None, None, f"the child that asks the API server ended with {exit_code} and without an answer")
    return Answer(answer.get("status"), answer.get("body"), answer.get("error"))
