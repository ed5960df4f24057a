"""SIGTERM and SIGINT as something that the loop can read, so that the agent ends between two steps, at once."""

import os
import signal
from types import FrameType


class StopSignal:
    """Readable once one of the two came. To be made once a process, in its main thread."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _noted)

    def fileno(self) -> int:
        return self._read

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)


def _noted(number: int, frame: FrameType | None) -> None:
    """The interpreter writes the number to the wake-up descriptor; that is all there is to do."""
