"""How the parts of an agent end."""

import asyncio
import contextlib

import pytest

from furiosa_npu.watch.lifetime import all_of
from tests.jumping_loop import run


class Part:
    """Serves until it is ended, and takes a while for that; or fails after a second."""

    def __init__(self, *, ending_seconds: float = 0.0, fails: bool = False) -> None:
        self.ended = False
        self._ending_seconds = ending_seconds
        self._fails = fails

    async def serve(self) -> None:
        try:
            if self._fails:
                await asyncio.sleep(1)
                raise OSError("no more")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(self._ending_seconds)
            self.ended = True


def test_each_part_comes_to_its_own_end() -> None:
    """However soon the others do: sockets stay until calls were answered."""

    async def story() -> None:
        parts = [Part(), Part(ending_seconds=3.0)]
        serving = asyncio.create_task(all_of(*(part.serve() for part in parts)))
        await asyncio.sleep(0)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        assert [part.ended for part in parts] == [True, True]
        assert asyncio.get_running_loop().time() == 3.0

    run(story())


def test_where_one_part_fails_the_others_end_too() -> None:
    """What it raised is what whoever waits for all gets; parts that are done before do not matter."""

    async def story() -> None:
        other = Part(ending_seconds=2.0)
        with pytest.raises(OSError, match="no more"):
            await all_of(asyncio.sleep(0), Part(fails=True).serve(), other.serve())
        assert other.ended
        assert asyncio.get_running_loop().time() == 3.0

    run(story())
