"""Keeps the node's ResourceSlices as wanted: asks the API server what `Publication` wants asked. A thin shell."""

import asyncio
from collections.abc import Callable, Sequence

from furiosa_npu.cluster.retry import chance
from furiosa_npu.dra_driver.claims_api import Ask
from furiosa_npu.dra_driver.devices import CardDevices
from furiosa_npu.dra_driver.publication import Publication
from furiosa_npu.dra_driver.publication_trouble import Notice

YIELDED_SECONDS = 1.0
"""Between two looks whether another instance, which publishes in this one's place, is still there."""


class Publisher:
    """One instance's. Made inside a running loop; `run` publishes until it is cancelled, and deletes nothing then."""

    def __init__(
        self,
        publication: Publication,
        ask: Ask,
        is_ours: Callable[[], bool],
        say: Callable[[Notice], None],
        clock: Callable[[], float],
        random: Callable[[], float] = chance,
    ) -> None:
        """`is_ours`: this instance is the newest of the driver on this node, the one that publishes."""
        self._publication = publication
        self._ask = ask
        self._is_ours = is_ours
        self._say = say
        self._clock = clock
        self._random = random
        self._changed = asyncio.Event()
        self._yielded = False

    def offer(self, cards: Sequence[CardDevices]) -> None:
        """These are to be published from now on."""
        self._publication.offer(cards, self._clock())
        self._changed.set()

    def doubt(self) -> None:
        """The slices may have been changed or deleted by somebody else."""
        self._publication.doubt(self._clock())
        self._changed.set()

    def unsettled(self) -> str | None:
        """Why the slices are not, or not known to be, as wanted; None: they are, or another instance sees to it."""
        return None if self._yielded else self._publication.unsettled()

    def is_settled(self) -> bool:
        """This instance has seen to it that the slices are as wanted."""
        return not self._yielded and self._publication.unsettled() is None

    async def run(self) -> None:
        while True:
            self._changed.clear()
            due_at = self._publication.due_at()
            if due_at is not None and due_at <= self._clock():
                await self._go_on()
                continue
            try:
                async with asyncio.timeout(None if due_at is None else due_at - self._clock()):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _go_on(self) -> None:
        if not self._is_ours():
            self._yielded = True
            await asyncio.sleep(YIELDED_SECONDS)
            return
        if self._yielded:
            self._yielded = False
            self._publication.doubt(self._clock())
        requests = self._publication.take(self._clock())
        if requests:
            answers = await self._ask(requests)
            for notice in self._publication.answered(answers, self._clock(), self._random()):
                self._say(notice)
