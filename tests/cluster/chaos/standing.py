"""How a card stands over time, by the simulator's record alone: since when it is good, since when bad."""

from typing import NamedTuple

from tests.cluster.chaos.faults import BY_RECORD, OCCUPIED, FaultKind


class Standing(NamedTuple):
    """Of one card at one instant. Neither good nor bad: it has a fault that cannot be known yet."""

    words: dict[str, float]
    """what the record says is wrong with it, each since when"""
    bad_since: float | None = None
    good_since: float | None = None
    """may lie ahead: when the agent can know it"""
    flaps: int = 0
    """how many times a fault of it ended; a stranger's use that ends is none"""
    faulty: bool = False
    """it has had a fault since it was good"""


def stand(before: Standing | None, condition: str, at: float) -> Standing:
    """The standing after a look at the record. `condition`: comma-separated words, empty for a good card."""
    known = before.words if before is not None else {}
    words = {word: known.get(word, at) for word in condition.split(",") if word}
    if not words:
        if before is None:
            return Standing({}, good_since=at)
        if before.good_since is not None:
            return before
        lingers = max(map(_lingers, known))
        return Standing({}, good_since=at + lingers, flaps=before.flaps + before.faulty)
    flaps = before.flaps if before is not None else 0
    faulty = (before is not None and before.faulty) or set(words) != {OCCUPIED}
    shown = [known_at for word, since in words.items() if (known_at := since + _shows_after(word)) <= at]
    if not shown:
        return Standing(words, flaps=flaps, faulty=faulty)
    unbroken = before.bad_since if before is not None else None
    return Standing(words, bad_since=unbroken if unbroken is not None else min(shown), flaps=flaps, faulty=faulty)


def _shows_after(word: str) -> float:
    kind = _kind(word)
    return kind.shows_after_seconds if kind is not None else 0.0


def _lingers(word: str) -> float:
    kind = _kind(word)
    return kind.lingers_seconds if kind is not None else 0.0


def _kind(word: str) -> FaultKind | None:
    """Of a word as the record has it: `temperature=120`."""
    return BY_RECORD.get(word.partition("=")[0])


def probation_seconds(flaps: int, first: float, longest: float) -> float:
    """How long a card that became good for the `flaps`th time proves it: doubled each time, up to the longest."""
    return 0.0 if flaps == 0 else min(first * 2.0 ** min(flaps - 1, 60), longest)
