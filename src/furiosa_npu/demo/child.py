"""A program of this package as a child process, its output in a file, ended without fail."""

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence

STOP_SECONDS = 10.0
"""What a child may take from SIGTERM to its end; then it is killed, and its exit code says so."""


class Child:
    """One running `python -m MODULE`. Isolated from the user's Python environment, optimized as in the image."""

    def __init__(self, process: asyncio.subprocess.Process, output: str) -> None:
        self._process = process
        self.output = output
        """path of the file with all that it wrote"""
        self.pid = process.pid

    @classmethod
    async def start(
        cls,
        module: str,
        arguments: Sequence[str],
        output: str,
        environment: Mapping[str, str] | None = None,
        through: Sequence[str] = (),
    ) -> "Child":
        """`environment`: None is this process's own. `through`: a command that becomes the program behind it."""
        with open(output, "ab") as file:  # noqa: ASYNC230 - a local file, opened once
            process = await asyncio.create_subprocess_exec(
                *through,
                *python(module),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=None if environment is None else dict(environment),
            )
        return cls(process, output)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -N for signal N."""
        return self._process.returncode

    async def wait(self, seconds: float) -> int:
        """The exit code. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            return await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL where that is not heard; the exit code."""
        if self._process.returncode is not None:
            return self._process.returncode
        self._process.send_signal(signal.SIGTERM)
        try:
            return await self.wait(STOP_SECONDS)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """SIGKILL; the exit code."""
        self._process.kill()
        return await self._process.wait()


def python(module: str) -> tuple[str, ...]:
    """The words that run a module of this package with the interpreter of this process."""
    return (sys.executable, "-I", "-OO", "-m", module)
