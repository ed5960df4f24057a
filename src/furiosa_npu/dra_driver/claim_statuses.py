"""Writes `status.devices` of prepared claims: what their users see of their devices. A thin shell."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from furiosa_npu.allocation.pool import Pool
from furiosa_npu.cluster.api import complaint, fate
from furiosa_npu.cluster.retry import chance, delay_seconds
from furiosa_npu.dra_driver.claim_status import Ready, apply_status
from furiosa_npu.dra_driver.claims_api import Ask
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.dra_driver.prepared import PreparedClaim
from furiosa_npu.health.verdict import in_words

GATHER_SECONDS = 0.5
"""From a change to its writing: a card that fails and comes back at once is one write."""

Said = tuple[PreparedClaim, Mapping[str, tuple[bool, str, str]]]


def readiness(claim: PreparedClaim, pool: Pool, epoch: float) -> dict[str, Ready]:
    """The condition Ready of each of its devices. `epoch`: seconds since 1970 at 0 of the verdicts' clock."""
    ready = {}
    for device in claim.devices:
        unit = pool.get(device.device)
        if unit is None:
            ready[device.device] = Ready(False, "Gone", f"{device.device} is not seen on this node", epoch)
            continue
        verdict = unit.verdict
        good = verdict.state in ("allocated", "idle")
        reason = "".join(word.capitalize() for word in (verdict.sign or verdict.state).split("-"))
        text = f"{unit.card.name} {in_words(verdict.state)}: {verdict.reason}"
        since = epoch + verdict.since
        ready[device.device] = Ready(good, "Prepared" if good else reason, "" if good else text, since)
    return ready


class ClaimStatuses:
    """Of one node. Made inside a running loop."""

    def __init__(self, ask: Ask, warn: Callable[[str], None], random: Callable[[], float] = chance) -> None:
        self._ask = ask
        self._warn = warn
        self._random = random
        self._wanted: dict[str, tuple[PreparedClaim, dict[str, Ready]]] = {}
        self._written: dict[str, Said] = {}
        self._changed = asyncio.Event()
        self._said = ""

    def want(self, claims: Iterable[PreparedClaim], pool: Pool, epoch: float) -> None:
        """These are prepared, and so are their devices."""
        self._wanted = {claim.named.uid: (claim, readiness(claim, pool, epoch)) for claim in claims}
        self._written = {uid: said for uid, said in self._written.items() if uid in self._wanted}
        if self._due():
            self._changed.set()

    async def run(self) -> None:
        failures = 0
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            due = self._due()
            if not due:
                continue
            requests = [apply_status(claim, DRIVER, ready) for claim, ready in due]
            answers = await self._ask(requests)
            later = False
            for (claim, ready), request, answer in zip(due, requests, answers, strict=True):
                if fate(answer) == "later":
                    later = True
                else:  # refused: the claim is gone or another one, or the right is missing; not tried again
                    self._written[claim.named.uid] = _said(claim, ready)
                self._complain(complaint(request, answer))
            if later:
                failures += 1
                await asyncio.sleep(delay_seconds(failures, self._random()))
                self._changed.set()
            else:
                failures = 0

    def _due(self) -> list[tuple[PreparedClaim, dict[str, Ready]]]:
        return [one for uid, one in self._wanted.items() if self._written.get(uid) != _said(*one)]

    def _complain(self, reason: str | None) -> None:
        if reason is not None and reason != self._said:
            self._said = reason
            self._warn(f"the status of a claim is not written: {reason}")


def _said(claim: PreparedClaim, ready: Mapping[str, Ready]) -> Said:
    """When it began makes no difference."""
    return claim, {device: (one.status, one.reason, one.message) for device, one in ready.items()}
