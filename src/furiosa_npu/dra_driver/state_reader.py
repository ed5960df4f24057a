"""Reads what is prepared, for an instance of the driver that is not alone in changing it."""

from collections.abc import Callable

from furiosa_npu.dra_driver.claim_store import ClaimStore
from furiosa_npu.dra_driver.prepared import State
from furiosa_npu.dra_driver.preparer import InThread
from furiosa_npu.dra_driver.state_file import Stamp, StateError

_UNREAD: Stamp = (0, 0)
"""of no file"""


class StateReader:
    """One instance's."""

    def __init__(self, store: ClaimStore, in_thread: InThread, on_read: Callable[[StateError | None], None]) -> None:
        """`on_read` is told of each reading why it failed, or None."""
        self._store = store
        self._in_thread = in_thread
        self._on_read = on_read
        self._read: Stamp | None = store.stamp()

    async def read(self) -> State | None:
        """What is prepared, as the file says now; None: it cannot be read."""

        def work() -> tuple[Stamp | None, State]:
            with self._store.locked() as locked:
                return self._store.stamp(), locked.read()

        try:
            self._read, state = await self._in_thread(work)
        except StateError as error:
            self._read = _UNREAD
            self._on_read(error)
            return None
        self._on_read(None)
        return state

    def is_old(self) -> bool:
        """The file is another than was read last, or could not be read. Costs a stat(2)."""
        return self._store.stamp() != self._read
