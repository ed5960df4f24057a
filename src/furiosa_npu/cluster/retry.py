"""When to ask first, and when to try again after a failure: not all nodes at once, and later each time."""

import os

FIRST_SECONDS = 1.0

LONGEST_SECONDS = 120.0
"""an API server that comes back after a night is noticed within two minutes; ten thousand nodes make 80 requests a
second of it at most"""

REFUSALS = 4
"""403 is final when it comes so often in a row: an API server that starts answers before it has loaded its roles"""


def delay_seconds(failures: int, random: float) -> float:
    """How long to wait after so many failures in a row (1 is the first); `random` is from 0 to 1.

    The bound doubles with each failure; half of it is left to chance, so that nodes whose API server went away at one
    instant do not come back at one instant.
    """
    bound = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 16))
    return bound * (0.5 + 0.5 * random)


def start_delay_seconds(jitter_seconds: float, random: float) -> float:
    """How long after its start an agent asks nothing yet, from 0 to `jitter_seconds`; `random` is from 0 to 1.

    Evenly spread, so that nodes that come back after a power cut ask one after the other.
    """
    return jitter_seconds * random


def chance() -> float:
    """0 to 1; the module `random` costs 0.4 MiB."""
    return int.from_bytes(os.urandom(4)) / 0xFFFFFFFF
