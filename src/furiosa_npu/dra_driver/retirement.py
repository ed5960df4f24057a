"""A driver that retires (`--retire`) looks how many claims are left, and says so."""

import asyncio
from collections.abc import Callable

from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.node_claims import NodeClaims


class Retirement:
    """Of one instance. It is ready all the while: during a rolling update the instance before it keeps this plane until
    it is, and an update goes on to the next node.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._told: int | None = None

    async def run(self, claims: NodeClaims, is_last: Callable[[], bool], seconds: float) -> None:
        """Looks every `seconds`. `is_last`: no further claim can be prepared."""
        await claims.cycle.seen()
        while True:
            last = is_last()  # before the state is read
            await claims.take_in()
            prepared = claims.holdings.state
            if prepared is not None:  # of an earlier boot, too: the kubelet ends those by this driver
                self.tell(len(prepared), is_last=last)
            await asyncio.sleep(seconds)

    def tell(self, left: int, *, is_last: bool) -> None:
        """So many are prepared now; said where it is news. `is_last`: no further one can be."""
        if left == self._told or not (left or is_last):
            return
        self._told = left
        if left:
            self._log.warning(f"{left} claims are prepared yet: their pods have to end")
        else:
            self._log.info("no claim is left: this driver can be deleted, and the device plugin hands out the cards")
