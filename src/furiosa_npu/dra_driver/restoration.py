"""What a driver does about an earlier one's claims before it prepares anything, and about a state that is lost later.
A thin shell.
"""

import asyncio
from contextlib import suppress

from furiosa_npu.agent.log import Log
from furiosa_npu.cluster.retry import chance, delay_seconds
from furiosa_npu.dra_driver.claim_files import ClaimFilesError
from furiosa_npu.dra_driver.claims_api import NotListed
from furiosa_npu.dra_driver.recovery import Stale, Unclear
from furiosa_npu.dra_driver.restorer import Restored, Restorer
from furiosa_npu.dra_driver.state_file import StateError, StateLost
from furiosa_npu.watch.conditions import Conditions

PART = "prepared claims"
LOCAL_SECONDS = 5.0
"""At most, between two tries, where the API server answered: a folder that is mended tells nobody."""
_FAILURES = (StateError, ClaimFilesError, Unclear, NotListed)


class Restoration:
    """Of one instance."""

    def __init__(self, restorer: Restorer, conditions: Conditions, log: Log) -> None:
        self._restorer = restorer
        self._conditions = conditions
        self._log = log
        self._lost = asyncio.Event()
        self._claim_ended = asyncio.Event()
        self.pending: str | None = "what an earlier driver prepared was not looked at yet"
        """why nothing new is prepared, or None"""

    async def run(self) -> None:
        """At the start, and whenever the state is lost: cleans up, and makes out anew what was lost."""
        while True:
            await self._until_restored()
            await self._until_stale_has_ended()
            await self._lost.wait()

    def was_read(self, error: StateError | ClaimFilesError | None) -> None:
        """By a driver that runs: somebody may have damaged or removed the file, or keeps it locked."""
        if self.pending is not None:
            return  # said, and tried again
        if error is None:
            self._conditions.well(PART)
        elif isinstance(error, StateLost):
            self.pending = str(error)
            self._lost.set()
        else:
            self._conditions.trouble(PART, str(error))

    def claim_ended(self) -> None:
        """An Unprepare was answered: it may be that claim which could not be made out."""
        self._claim_ended.set()

    async def _until_restored(self) -> None:
        """Again and again, as long as that fails."""
        failures = 0
        self._lost.clear()
        while self.pending is not None:
            self._claim_ended.clear()
            try:
                self._tell(await self._restored())
            except _FAILURES as error:
                failures += 1
                self.pending = str(error)
                self._conditions.trouble(PART, self.pending)
                seconds = delay_seconds(failures, chance())
                if not isinstance(error, NotListed):
                    seconds = min(seconds, LOCAL_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._claim_ended.wait()
            else:
                self.pending = None
        self._conditions.well(PART)

    async def _until_stale_has_ended(self) -> None:
        """Tried again while the API server does not say what it has, or the file cannot be written; said once."""
        failures = 0
        told: tuple[Stale, ...] = ()
        while not self._lost.is_set():
            try:
                restored = await self._restorer.end_stale()
                self._tell(restored._replace(stale=tuple(entry for entry in restored.stale if entry not in told)))
                reason, told = restored.unasked, restored.stale
            except _FAILURES as error:
                reason = str(error)
            if reason is None:
                return
            failures += 1
            if failures == 1:
                self._log.warning("claims of an earlier boot stay in the state file for now", reason=reason)
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_seconds(failures, chance())):
                    await self._lost.wait()

    async def _restored(self) -> Restored:
        try:
            return await self._restorer.clean()
        except StateLost:
            return await self._restorer.rebuild()

    def _tell(self, restored: Restored) -> None:
        if restored.lost is not None:
            self._log.warning("what is prepared was made out anew", reason=restored.lost, kept=restored.kept_as)
        if restored.files_removed:
            self._log.info("CDI files without a prepared claim were removed", claims=",".join(restored.files_removed))
        for entry in (*restored.ended, *restored.stale):
            self._log.info("a claim that the API server no longer has so", reason=entry.reason, removed=entry.ended)
