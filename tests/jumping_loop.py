"""An event loop for stories in which hours pass: where nothing else is to do, it is the time of the next timer."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: where no event is there, the time that would have been waited has passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            assert timeout is not None, "nothing will ever happen"
            self.now += timeout
        return events


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its time is a JumpingSelector's."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(story: Coroutine[Any, Any, None]) -> None:
    """To its end, in no time. Nothing of it may happen in other threads or processes."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(story)
