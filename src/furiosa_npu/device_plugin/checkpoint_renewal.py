"""Has the kubelet write its checkpoint once more when all is quiet: of two writes at once, the older may stay."""

import asyncio
from collections.abc import Callable
from typing import Any

QUIET_SECONDS = 1.0
"""After the last list; a write takes as long as the disk's fsync, and is over by then."""


class CheckpointRenewal:
    """One agent's. `list_changed` is called whenever a list goes out that is another: after each Allocate one does.

    The kubelet writes its checkpoint after each list and each Allocate, from a copy that it made under its lock, but
    writes it without the lock (pkg/kubelet/cm/devicemanager/manager.go: writeCheckpoint; fsync, then rename): of two at
    once, that of the older copy may be the last. A kubelet that restarts then knows no better than the file, nor does a
    plugin that starts.
    """

    def __init__(
        self,
        send_lists_again: Callable[[], Any],
        call_later: Callable[[float, Callable[[], Any]], asyncio.TimerHandle],
    ) -> None:
        self._send_lists_again = send_lists_again
        self._call_later = call_later
        self._due: asyncio.TimerHandle | None = None

    def list_changed(self) -> None:
        """What is waited for begins anew: this list's own write is of a newer copy than any before it."""
        if self._due is not None:
            self._due.cancel()
        self._due = self._call_later(QUIET_SECONDS, self._send_lists_again)
