"""A token bucket: so many at once, then one in so many seconds (generic cell rate algorithm, ITU-T I.371). Pure."""

from typing import NamedTuple


class Bucket(NamedTuple):
    """Full at first. One number says how full it is, so that `free_at` and `take` never disagree by a rounding."""

    burst: int
    refill_seconds: float
    empty_until: float = float("-inf")
    """seconds of the clock, when it would be full again if nothing more was taken"""

    def free_at(self) -> float:
        """From when on one can be taken."""
        return self.empty_until - (self.burst - 1) * self.refill_seconds

    def take(self, now: float) -> "Bucket":
        """One less; only from `free_at` on."""
        return self._replace(empty_until=max(self.empty_until, now) + self.refill_seconds)
