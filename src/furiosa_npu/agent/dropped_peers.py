"""Peers of a socket whose connections were dropped: said once a minute, however many there are."""

from collections.abc import Callable

from furiosa_npu.agent.log import Log

SECONDS = 60.0
"""between two log lines about the same socket"""


class DroppedPeers:
    """Is called with the reason of each drop."""

    def __init__(self, path: str, log: Log, clock: Callable[[], float]) -> None:
        """`path`: the socket's; `clock` gives seconds."""
        self._path = path
        self._log = log
        self._clock = clock
        self._unsaid = 0
        self._said_at: float | None = None

    def __call__(self, reason: str) -> None:
        self._unsaid += 1
        now = self._clock()
        if self._said_at is None or now - self._said_at >= SECONDS:
            self._log.warning("dropped a peer", socket=self._path, reason=reason, dropped=self._unsaid)
            self._unsaid, self._said_at = 0, now
