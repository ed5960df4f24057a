"""How a command that goes on for a while is told to stop."""

import os
import signal


def stop_descriptor() -> int:
    """A descriptor that is readable once SIGTERM or SIGINT has come, which end nothing by themselves any more."""
    stop, told = os.pipe()
    os.set_blocking(told, False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(told, b"."))
    return stop
