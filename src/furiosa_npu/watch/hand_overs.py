"""Hand-overs that are under way, and when the last one under each name was."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

ONE_INSTANT_SECONDS = 0.5
"""For how long after a hand-over the lists under the other names stay as they were. A pod that came in the same instant
under another name is then refused by us, with the reason; the kubelet alone would say `Available: 0`."""


class HandOvers:
    """Of one pool."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._units: list[str] = []
        self._done_at: dict[str, float] = {}

    @property
    def units(self) -> tuple[str, ...]:
        """Which are asked for and not decided yet."""
        return tuple(self._units)

    @contextmanager
    def of(self, units: Sequence[str]) -> Iterator[None]:
        """While they are decided."""
        self._units += units
        try:
            yield
        finally:
            for unit in units:
                self._units.remove(unit)

    def done(self, resource: str) -> None:
        self._done_at[resource] = self._clock()

    def instant_left(self, resource: str) -> float:
        """How long the list under `resource` has to wait yet, in seconds; see ONE_INSTANT_SECONDS."""
        others = [at for name, at in self._done_at.items() if name != resource]
        return max(0.0, max(others) + ONE_INSTANT_SECONDS - self._clock()) if others else 0.0
