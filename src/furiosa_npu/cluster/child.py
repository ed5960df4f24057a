"""The parent's side of requests: starts the child, is told by a file descriptor, never waits.

    call = Call(access, requests)
    loop.add_reader(call.fileno(), ...)      # readable: call.receive(); None means more is to come
    loop.call_at(call.deadline, ...)         # too late: call.abandon()

`posix_spawn` (vfork underneath) copies no memory, whatever the parent's size.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from furiosa_npu.cluster.api import Access, Answer, ApiRequest


class Call:
    """Requests on their way, by one child. Raises OSError from the start where no process can be had."""

    def __init__(
        self,
        access: Access,
        requests: Sequence[ApiRequest],
        clock: Callable[[], float] = time.monotonic,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.requests = tuple(requests)
        self.deadline = clock() + 3 * access.timeout_seconds
        """by the clock: when to `abandon` it"""
        self.limit_seconds = 3 * access.timeout_seconds
        """from the start to the deadline"""
        self._received = b""
        asked = [request._asdict() for request in requests]
        question = json.dumps({"access": access._asdict(), "requests": asked}).encode()
        stdin = os.memfd_create("requests")
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

    def receive(self) -> tuple[Answer, ...] | None:
        """An answer for each request, once all are there; then everything is given back. Never blocks."""
        if not self._read():
            return None
        exit_code = self._reap()
        return self._answers(f"the child that asks the API server ended with {exit_code} and without an answer")

    def abandon(self) -> tuple[Answer, ...]:
        """It took too long, or the agent stops: the child is killed. What was answered before counts."""
        os.kill(self._pid, signal.SIGKILL)
        self._read()
        self._reap()
        return self._answers(f"the API server was asked and nothing came within {self.limit_seconds:g} s")

    def _read(self) -> bool:
        """Takes what is there; True at its end."""
        try:
            while data := os.read(self._stdout, 65536):
                self._received += data
        except BlockingIOError:
            return False
        return True

    def _reap(self) -> int:
        """Exit code; negative is the signal that ended it. Its end of the pipe is closed or it is killed: no wait."""
        os.close(self._stdout)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _answers(self, otherwise: str) -> tuple[Answer, ...]:
        """One a request. The child's error stands for all that it did not send; `otherwise` where it left none."""
        answers: list[Answer] = []
        for line in self._received.splitlines():
            try:
                answer = json.loads(line)
            except ValueError:
                break  # cut off by the child's end
            answers.append(Answer(answer.get("status"), answer.get("body"), answer.get("error")))
        said = answers[-1].error if answers and answers[-1].error is not None else otherwise
        return tuple(answers) + (Answer(None, None, said),) * (len(self.requests) - len(answers))


def _interpreter_flags() -> list[str]:
    """Isolated, and as optimised as we are: the image holds bytecode of one optimisation level alone."""
    flags = ["-I"]
    if sys.flags.optimize:
        flags.append("-" + "O" * sys.flags.optimize)
    for name, value in sys._xoptions.items():
        flags += ["-X", name if value is True else f"{name}={value}"]
    return flags
