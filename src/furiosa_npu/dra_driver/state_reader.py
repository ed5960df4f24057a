"""Reads what is prepared, for an instance of the driver that is not alone in changing it."""

from collections.abc import Callable

from furiosa_npu.dra_driver.claim_files import ClaimFilesError
from furiosa_npu.dra_driver.claim_store import ClaimStore
from furiosa_npu.dra_driver.prepared import State
from furiosa_npu.dra_driver.preparer import InThread
from furiosa_npu.dra_driver.state_file import Stamp, StateError

_UNREAD: Stamp = (0, 0)
"""of no file"""


class StateReader:
    """One instance's."""

    def __init__(
        self,
        store: ClaimStore,
        boot_id: str,
        in_thread: InThread,
        on_read: Callable[[StateError | ClaimFilesError | None], None],
    ) -> None:
        """`on_read` is told of each reading why it failed, or why a missing CDI file was not written, or None."""
        self._store = store
        self._boot_id = boot_id
        self._in_thread = in_thread
        self._on_read = on_read
        self._read: Stamp | None = store.stamp()

    async def read(self) -> State | None:
        """What is prepared, as the file says now; None: it cannot be read. Its CDI files are there then, or that is
        told: somebody may have cleaned up their folder, or mounted another one."""

        def work() -> tuple[Stamp | None, State, ClaimFilesError | None]:
            with self._store.locked() as locked:
                stamp, state = self._store.stamp(), locked.read()
                try:
                    locked.put_back(state, self._boot_id)
                except ClaimFilesError as error:
                    return stamp, state, error
                return stamp, state, None

        try:
            self._read, state, failure = await self._in_thread(work)
        except StateError as error:
            self._read = _UNREAD
            self._on_read(error)
            return None
        self._on_read(failure)
        return state

    def is_old(self) -> bool:
        """The file is another than was read last, or could not be read. Costs a stat(2)."""
        return self._store.stamp() != self._read
