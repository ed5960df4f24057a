"""What a driver does about an earlier one's claims before it prepares anything, until it is done. A thin shell."""

import asyncio

from furiosa_npu.agent.log import Log
from furiosa_npu.cluster.retry import chance, delay_seconds
from furiosa_npu.dra_driver.claim_files import ClaimFilesError
from furiosa_npu.dra_driver.claims_api import NotListed
from furiosa_npu.dra_driver.recovery import Unclear
from furiosa_npu.dra_driver.restorer import Restored, Restorer
from furiosa_npu.dra_driver.state_file import StateError, StateLost
from furiosa_npu.watch.conditions import Conditions

PART = "prepared claims"
_FAILURES = (StateError, ClaimFilesError, Unclear, NotListed)


class Restoration:
    """Of one instance."""

    def __init__(self, restorer: Restorer, conditions: Conditions, log: Log) -> None:
        self._restorer = restorer
        self._conditions = conditions
        self._log = log
        self.pending: str | None = "what an earlier driver prepared was not looked at yet"
        """why nothing new is prepared, or None"""

    async def run(self) -> None:
        """Cleans up, and makes out anew what was lost; again and again, as long as that fails."""
        failures = 0
        while self.pending is not None:
            try:
                self._tell(await self._restored())
            except _FAILURES as error:
                failures += 1
                self.pending = str(error)
                self._conditions.trouble(PART, self.pending)
                await asyncio.sleep(delay_seconds(failures, chance()))
            else:
                self.pending = None
        self._conditions.well(PART)
        try:
            self._tell(await self._restorer.end_stale())
        except _FAILURES as error:
            self._log.warning("claims of an earlier boot stay in the state file", reason=str(error))

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
