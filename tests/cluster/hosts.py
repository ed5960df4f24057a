"""A made-up host: namespaces of its own, held by one process, and programs started inside them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.cluster.commands import run

_INIT = Path(__file__).with_name("host_init.py")
_HIDDEN = ("/var/lib", "/var/log", "/run", "/dev", "/proc")


def child_of(parent: subprocess.Popen[bytes], deadline_seconds: float = 60) -> int:
    """The PID, as the machine counts it, of a forking program's (nsenter, unshare) one child (proc(5), children)."""
    deadline = time.monotonic() + deadline_seconds
    while time.monotonic() < deadline:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        if children:
            return int(children[0])
        if parent.poll() is not None:
            break
        time.sleep(0.005)
    raise RuntimeError(f"{parent.args!r} has no child (its exit status: {parent.returncode})")


class Host:
    """Namespaces with private /dev, /run, /var/lib and /var/log; all that runs in them ends with `close`."""

    def __init__(
        self, name: str, folder: Path, lock: IO[str], programs: Sequence[Path] = (), *, outlives_us: bool
    ) -> None:
        """`lock` is held by the host too, so that a lock that is free means: nothing of it lives.

        `programs`: folders that come first in its PATH.
        """
        for place in (folder, *programs):
            if str(place).startswith(_HIDDEN):
                raise ValueError(f"{place} lies where a host has folders of its own; choose another")
        self.name = name
        self.folder = folder
        self._path = ":".join([*map(str, programs), os.environ["PATH"]])
        folder.mkdir(parents=True)
        self._first_process = -1
        lifeline, self._lifeline = os.pipe()
        namespaces = ["--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
        self._holder = subprocess.Popen(
            ["unshare", *namespaces, sys.executable, "-I", str(_INIT), name, str(folder)],
            stdin=lifeline,
            stdout=subprocess.PIPE,
            stderr=(folder / "init.log").open("w"),
            pass_fds=(lock.fileno(), *((self._lifeline,) if outlives_us else ())),
            start_new_session=True,
        )
        os.close(lifeline)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            self.close()
            raise RuntimeError(f"host {name} did not come up: {(folder / 'init.log').read_text()}")
        self.pid = child_of(self._holder)
        self._first_process = os.pidfd_open(self.pid)

    @property
    def holder(self) -> int:
        """The process whose end ends the host."""
        return self._holder.pid

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` in the host's namespaces, where our TMPDIR may not be."""
        namespaces = ["--mount", "--net", "--uts", "--ipc", "--pid"]
        return [
            "nsenter",
            f"--target={self.pid}",
            *namespaces,
            "--",
            "env",
            "--unset=TMPDIR",
            f"PATH={self._path}",
            *argv,
        ]

    def on_its_network(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` on the host's network, with the machine's files and processes."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *argv]

    def run(self, argv: Sequence[str], *, stdin: str | None = None, deadline_seconds: float = 120) -> str:
        """Standard output of a program run inside; raises CommandFailed for another exit status than 0."""
        return run(self.inside(argv), stdin=stdin, deadline_seconds=deadline_seconds)

    def path(self, path: str) -> Path:
        """Where the machine sees a path of the host: `/run/x` as `/proc/<pid>/root/run/x`."""
        return Path(f"/proc/{self.pid}/root{path}")

    def close(self) -> None:
        """Ends all that runs inside; returns when the kernel has ended the last of it."""
        os.close(self._lifeline)
        if self._first_process >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first_process, signal.SIGKILL)  # it ends last (pid_namespaces(7))
            os.close(self._first_process)
        else:
            self._holder.kill()
        self._holder.wait()
        if self._holder.stdout is not None:
            self._holder.stdout.close()


class Program:
    """A long-running program inside a host, its output in a file."""

    def __init__(
        self, host: Host, name: str, argv: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._host = host
        self._argv = argv
        self._environment = environment or {}
        self._entering: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self.pid = 0

    def start(self) -> None:
        """Starts it; its output is appended to the log."""
        with self.log.open("ab") as log:
            self._entering = subprocess.Popen(
                self._host.inside(self._argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        self.pid = child_of(self._entering)
        self._pidfd = os.pidfd_open(self.pid)

    def alive(self) -> bool:
        entering = self._entering  # once: another thread may bury it meanwhile
        return entering is not None and entering.poll() is None

    def kill(self, number: signal.Signals) -> None:
        """Sends a signal to this very process: a PID that was used again is not hit."""
        signal.pidfd_send_signal(self._pidfd, number)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It does nothing meanwhile, and finds all that came when it goes on."""
        self.pause()
        try:
            yield
        finally:
            self.go_on()

    def pause(self) -> None:
        """SIGSTOP: it lives and does nothing, until `go_on`."""
        self.kill(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `pause`. nsenter stops itself when its child is stopped, and would not see that end any more."""
        assert self._entering is not None
        self._entering.send_signal(signal.SIGCONT)
        self.kill(signal.SIGCONT)

    def stop(self, deadline_seconds: float = 20) -> None:
        """SIGTERM, and SIGKILL for one that does not heed it."""
        if self._entering is None:
            return
        if self.alive():
            self.kill(signal.SIGTERM)
            try:
                self._entering.wait(deadline_seconds)
            except subprocess.TimeoutExpired:
                self.kill(signal.SIGKILL)
                self._entering.wait()
        os.close(self._pidfd)
        self._entering = None

    def crash(self) -> None:
        """SIGKILL: it ends without a word to anybody."""
        if self._entering is not None:
            self.kill(signal.SIGKILL)
            self.forget()

    def forget(self) -> None:
        """After it was killed, or its host closed: nothing is left to signal, only to bury."""
        if self._entering is not None:
            self._entering.wait()
            os.close(self._pidfd)
            self._entering = None

    def tail(self, lines: int = 30) -> str:
        """The end of its log, for a message about a failure."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
