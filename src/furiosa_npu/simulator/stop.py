"""How a command that goes on for a while is told to stop."""

import os
import signal


def stop_descriptor() -> int:
    """A descriptor that is readable once SIGTERM or SIGINT has come, which end nothing by themselves any more."""
    stop, told = os.pipe()
    os.set_blocking(told, False)
    # By the interpreter's C handler: one in Python would wait for the end of a select(2) that has just begun.
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return stop
