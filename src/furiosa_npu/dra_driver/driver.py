"""What the kubelet's calls of the driver become: claims prepared and unprepared, and said so where people look."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.claim_cdi import answer
from furiosa_npu.dra_driver.preparation import Refusal
from furiosa_npu.dra_driver.preparer import Preparer
from furiosa_npu.kubelet.dra_v1 import Claim, Device

Prepared = tuple[Device, ...] | str

OPEN_SECONDS = 5.0
"""for which a driver that starts may be unable to prepare before the kubelet finds it all the same"""
_LOOK_SECONDS = 0.05


class OnAnswer(Protocol):
    """Is told the call, the claim, the reason of a refusal or None, and how many seconds the call took."""

    def __call__(self, call: str, named: ClaimName, reason: str | None, seconds: float) -> None: ...


class Driver:
    """A `DraPlugin` (kubelet.dra_service)."""

    def __init__(
        self,
        preparer: Preparer,
        closed: Callable[[], str | None],
        on_change: Callable[[], None],
        on_answer: OnAnswer,
        clock: Callable[[], float],
    ) -> None:
        """`closed`: why nothing new is prepared at the moment, or None; `on_change`: what is prepared may be other than
        before.
        """
        self._preparer = preparer
        self._closed = closed
        self._on_change = on_change
        self._on_answer = on_answer
        self._clock = clock

    async def until_open(self) -> None:
        """Returns when claims can be prepared: the kubelet calls the instance that it found last, and until then an
        older one serves. One that has to wait for longer must be found to unprepare what is prepared.
        """
        until = self._clock() + OPEN_SECONDS
        while self._closed() is not None and self._clock() < until:  # noqa: ASYNC110 - opened by parts that tell nobody
            await asyncio.sleep(_LOOK_SECONDS)

    async def prepare(self, claims: Sequence[Claim]) -> Mapping[str, Prepared]:
        started = self._clock()
        self._preparer.closed = self._closed()
        outcomes = await self._preparer.prepare([_named(claim) for claim in claims])
        self._on_change()
        answers: dict[str, Prepared] = {}
        for named, outcome in outcomes.items():
            refused = str(outcome) if isinstance(outcome, Refusal) else None
            self._on_answer("NodePrepareResources", named, refused, self._clock() - started)
            if isinstance(outcome, Refusal):
                answers[named.uid] = str(outcome)
            else:
                answers[named.uid] = tuple(
                    Device(device.request_names, device.pool_name, device.device_name, device.cdi_device_ids)
                    for device in answer(outcome)
                )
        return answers

    async def unprepare(self, claims: Sequence[Claim]) -> Mapping[str, str | None]:
        started = self._clock()
        outcomes = await self._preparer.unprepare([_named(claim) for claim in claims])
        self._on_change()
        answers: dict[str, str | None] = {}
        for named, refusal in outcomes.items():
            reason = None if refusal is None else str(refusal)
            self._on_answer("NodeUnprepareResources", named, reason, self._clock() - started)
            answers[named.uid] = reason
        return answers


def _named(claim: Claim) -> ClaimName:
    return ClaimName(claim.namespace, claim.name, claim.uid)
