"""Writes `status.devices` of prepared claims: what their users see of their devices. A thin shell."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.pool import Pool
from furiosa_npu.cluster.api import Answer, complaint, fate
from furiosa_npu.cluster.retry import REFUSALS, chance, delay_seconds
from furiosa_npu.dra_driver.claim import NotFetched
from furiosa_npu.dra_driver.claim_status import Ready, Said, apply_status, to_say
from furiosa_npu.dra_driver.claims_api import Ask, ClaimsApi
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.dra_driver.prepared import PreparedClaim
from furiosa_npu.health.verdict import in_words

GATHER_SECONDS = 0.5
"""From a change to its writing: a card that fails and comes back at once is one write."""


def readiness(claim: PreparedClaim, pool: Pool, epoch: float) -> dict[str, Ready]:
    """The condition Ready of each of its devices. `epoch`: seconds since 1970 at 0 of the verdicts' clock."""
    ready = {}
    for device in claim.devices:
        unit = pool.get(device.device)
        if unit is None:
            ready[device.device] = Ready(False, "Gone", f"{device.device} is not seen on this node", epoch)
            continue
        verdict = unit.verdict
        held_well = verdict.state == "disabled" and not device.admin_access  # held, it would say a fault
        good = held_well or verdict.state in ("allocated", "idle")
        reason = "".join(word.capitalize() for word in (verdict.sign or verdict.state).split("-"))
        text = f"{unit.card.name} {in_words(verdict.state)}: {verdict.reason}"
        since = epoch + verdict.since
        ready[device.device] = Ready(good, "Prepared" if good else reason, "" if good else text, since)
    return ready


def is_known(claim: PreparedClaim, pool: Pool, held: Collection[str], *, all_seen: bool) -> bool:
    """Its devices were looked at, and judged as held by it: at a driver's start they are not yet. `held`: ids of units;
    `all_seen`: what is not in the pool is not there.
    """
    return all(
        (device.device in pool or all_seen) and (device.admin_access or device.device in held)
        for device in claim.devices
    )


class _Wanted(NamedTuple):
    claim: PreparedClaim
    ready: Mapping[str, Ready]
    said: Said


class ClaimStatuses:
    """Of one node. Made inside a running loop."""

    def __init__(
        self, ask: Ask, claims: ClaimsApi, warn: Callable[[str], None], random: Callable[[], float] = chance
    ) -> None:
        """`claims` knows what stands there: what an earlier driver wrote, or another instance, is not written again."""
        self._ask = ask
        self._claims = claims
        self._warn = warn
        self._random = random
        self._wanted: dict[str, _Wanted] = {}
        self._changed = asyncio.Event()
        self._complained = ""
        self._refusals = 0
        """answers in a row that forbade it"""

    def want(
        self, claims: Sequence[PreparedClaim], pool: Pool, held: Collection[str], epoch: float, *, all_seen: bool
    ) -> None:
        """These are prepared, and so are their devices; see `is_known` and `readiness`."""
        self._wanted = {}
        for claim in claims:
            if is_known(claim, pool, held, all_seen=all_seen):
                ready = readiness(claim, pool, epoch)
                self._wanted[claim.named.uid] = _Wanted(claim, ready, to_say(claim, DRIVER, ready))
        for uid in self._claims.said.keys() - {claim.named.uid for claim in claims}:
            del self._claims.said[uid]
        if self._due():
            self._changed.set()

    async def run(self) -> None:
        failures = 0
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            learned = await self._learn()
            if await self._write() and learned:
                failures = 0
            else:
                failures += 1
                await asyncio.sleep(delay_seconds(failures, self._random()))
                self._changed.set()

    async def _learn(self) -> bool:
        """What stands there of claims that this instance has not fetched. False: some could not be had."""
        unknown = [wanted for wanted in self._due() if wanted.claim.named.uid not in self._claims.said]
        fetched = await self._claims.fetch([wanted.claim.named for wanted in unknown])
        missed = [claim for claim in fetched.values() if isinstance(claim, NotFetched)]
        for wanted in unknown:
            named = wanted.claim.named
            if named.uid not in self._claims.said and not isinstance(fetched[named], NotFetched):
                self._claims.said[named.uid] = wanted.said  # gone, or another one: there is nothing to be written to
        for claim in missed:
            self._complain(claim.reason)
        return not missed

    async def _write(self) -> bool:
        """False: some are to be tried again. A refusal is final at last: the claim is gone, or the right is missing."""
        due = [wanted for wanted in self._due() if wanted.claim.named.uid in self._claims.said]
        asked = [(wanted, self._claims.said[wanted.claim.named.uid].began) for wanted in due]
        requests = [apply_status(wanted.claim, DRIVER, wanted.ready, since) for wanted, since in asked]
        answers = await self._ask(requests) if requests else ()
        if answers:
            is_refused = any(answer.status == 403 for answer in answers)
            self._refusals = self._refusals + 1 if is_refused else 0
        for (wanted, since), request, answer in zip(asked, requests, answers, strict=True):
            if self._is_final(answer):
                self._claims.said[wanted.claim.named.uid] = to_say(wanted.claim, DRIVER, wanted.ready, since)
            self._complain(complaint(request, answer))
        return all(map(self._is_final, answers))

    def _is_final(self, answer: Answer) -> bool:
        return fate(answer) != "later" and not (answer.status == 403 and self._refusals < REFUSALS)

    def _due(self) -> list[_Wanted]:
        said = self._claims.said
        return [
            wanted
            for uid, wanted in self._wanted.items()
            if uid not in said or said[uid].entries != wanted.said.entries
        ]

    def _complain(self, reason: str | None) -> None:
        if reason is not None and reason != self._complained:
            self._complained = reason
            self._warn(f"the status of a claim is not written: {reason}")
