"""State file and CDI files of claims, changed together under one lock."""

from collections.abc import Iterator
from contextlib import contextmanager

from furiosa_npu.dra_driver.claim_files import ClaimFiles, ClaimFilesError
from furiosa_npu.dra_driver.prepared import State
from furiosa_npu.dra_driver.state_file import LockedState, Stamp, StateError, StateFile, StateLost


class LockedStore:
    """Both, for as long as the lock is held."""

    def __init__(self, state: LockedState, files: ClaimFiles) -> None:
        self.state = state
        self.files = files

    def read(self) -> State:
        """What is prepared. Raises StateError, and StateLost where a file is missing that must have been there."""
        state = self.state.read()
        if state is None:
            try:
                uids = self.files.uids()
            except ClaimFilesError as error:
                raise StateError(f"{self.state.path}: found no file, and there may have been one: {error}") from error
            if uids:
                raise StateLost(
                    f"{self.state.path}: found no file, expected one, since there are CDI files of {len(uids)} claims"
                )
            return {}
        return state

    def put_back(self, state: State, boot_id: str) -> None:
        """Writes the CDI files that are missing of what this boot prepared: a container that starts again needs its
        own. Raises ClaimFilesError."""
        prepared = {uid: claim for uid, claim in state.items() if claim.boot_id == boot_id}
        for uid in prepared.keys() - (self.files.uids() if prepared else ()):
            self.files.put(prepared[uid])


class ClaimStore:
    """Where this node keeps what is prepared."""

    def __init__(self, state: StateFile, files: ClaimFiles) -> None:
        self._state = state
        self._files = files

    def stamp(self) -> Stamp | None:
        """Of the state file, as `StateFile` has it."""
        return self._state.stamp()

    @contextmanager
    def locked(self) -> Iterator[LockedStore]:
        """Waits for the other instance. Raises StateError."""
        with self._state.locked() as state:
            yield LockedStore(state, self._files)
