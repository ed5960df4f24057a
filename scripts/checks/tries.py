"""What needs the network is tried again where it fails: mirrors stall, and a machine that just booted holds locks."""

import time
from collections.abc import Callable

PAUSES_SECONDS = (10.0, 30.0, 60.0, 120.0)
"""between two tries"""


def tried(program: Callable[[], int], sleep: Callable[[float], object] = time.sleep) -> int:
    """The exit status of `program`: 0 of its first try that is well, else that of the last."""
    for seconds in PAUSES_SECONDS:
        status = program()
        if status == 0:
            return 0
        print(f"== set-up: exit {status}; tried again in {seconds:g} s", flush=True)
        sleep(seconds)
    return program()
