"""How a card stands over time, by the simulator's record alone: since when it is good, since when bad."""

from typing import NamedTuple

from tests.cluster.chaos.faults import BY_RECORD, OCCUPIED, FaultKind


class Word(NamedTuple):
    """What the record says is wrong with a card."""

    since: float
    shows_at: float
    """when the agent can know it: one that was started meanwhile begins to watch anew what shows with time"""


class Standing(NamedTuple):
    """Of one card at one instant. Neither good nor bad: it has a fault that cannot be known yet."""

    words: dict[str, Word]
    bad_since: float | None = None
    good_since: float | None = None
    """may lie ahead: when the agent can know it"""
    flaps: int = 0
    """how many times a fault of it ended; a stranger's use that ends is none"""
    faulty: bool = False
    """it has had a fault since it was good"""


def stand(before: Standing | None, condition: str, at: float, agent_since: float | None) -> Standing:
    """The standing after a look at the record. `condition`: comma-separated words, empty for a good card;
    `agent_since`: when the agent began, None where there is none.
    """
    known = before.words if before is not None else {}
    words = {word: _seen(word, known.get(word), at, agent_since) for word in condition.split(",") if word}
    if not words:
        if before is None:
            return Standing({}, good_since=at)
        if before.good_since is not None:
            return before
        lingers = max(map(_lingers, known))
        return Standing({}, good_since=at + lingers, flaps=before.flaps + before.faulty)
    flaps = before.flaps if before is not None else 0
    faulty = (before is not None and before.faulty) or set(words) != {OCCUPIED}
    shown = [word.shows_at for word in words.values() if word.shows_at <= at]
    if not shown:
        return Standing(words, flaps=flaps, faulty=faulty)
    unbroken = before.bad_since if before is not None else None
    return Standing(words, bad_since=unbroken if unbroken is not None else min(shown), flaps=flaps, faulty=faulty)


def _seen(word: str, before: Word | None, at: float, agent_since: float | None) -> Word:
    since = before.since if before is not None else at
    after = _shows_after(word)
    if before is not None and before.shows_at <= at:
        return before
    watched_since = since if not after or agent_since is None else max(since, agent_since)
    return Word(since, watched_since + after)


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
