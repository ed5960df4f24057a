"""The promise that every good idle card is offered again, by the nodes' ResourceSlices: told as `offers` judges it.

In place of the kubelet's list stands what the API server says, in place of the resource names the card and its parts.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tests.cluster.chaos.dra_records import card_of
from tests.cluster.chaos.history import Event, Sample
from tests.cluster.chaos.offers import LONGEST_GAP_SECONDS

DELETED_SECONDS = 8.0
"""A kubelet that starts deletes its node's slices; the driver looks when it was registered, and 5 s later."""
DELETED_LATE_SECONDS = 40.0
"""One that started while the API server was away deletes them some seconds after that came back; the driver's third
look is 30 s after it was registered."""
RETRY_SECONDS = 3.0
"""After an API server that was away: the driver waits at most as long again as it tried in vain, and a second; then it
reads, and writes."""


class _Taker(NamedTuple):
    """What is known of who takes the offers: the API server, as long as the kubelet does not delete them."""

    since: float | None = None
    """when it began to take them; None: it does not"""
    not_before: float = float("-inf")
    kubelet_since: float | None = None
    """of the kubelet that was seen last"""
    kubelet_at: float = float("-inf")
    """when a new one was seen first"""
    away_since: float | None = None
    """when the API server was seen first without an answer; None: it answers"""


def as_lists(samples: Sequence[Sample]) -> list[Event]:
    """The samples, in which a kubelet takes lists just when the node's slices are to be as they should."""
    takers: dict[str, _Taker] = {}
    told: list[Event] = []
    for sample in samples:
        taker = _go_on(takers.get(sample.node), sample)
        takers[sample.node] = taker
        holders = tuple(one._replace(cards=tuple(sorted(set(map(card_of, one.cards))))) for one in sample.holders)
        told.append(sample._replace(kubelet_since=taker.since, checkpoint_at=sample.at, holders=holders))
    return told


def _go_on(before: _Taker | None, sample: Sample) -> _Taker:
    """`sample.at`, at which the taker began, is later than any list of before."""
    taker = before if before is not None else _Taker(kubelet_since=sample.kubelet_since)
    if sample.kubelet_since not in (None, taker.kubelet_since):
        taker = taker._replace(kubelet_since=sample.kubelet_since, kubelet_at=sample.at)
        taker = _wait(taker, sample.at + DELETED_SECONDS)
    if not sample.offered:
        return taker._replace(since=None, away_since=sample.at if taker.away_since is None else taker.away_since)
    if taker.away_since is not None:
        away = sample.at - taker.away_since
        if taker.kubelet_at > taker.away_since - DELETED_SECONDS:
            taker = _wait(taker, sample.at + DELETED_LATE_SECONDS)
        elif away > LONGEST_GAP_SECONDS:
            taker = _wait(taker, sample.at + away + RETRY_SECONDS)
    serves = sample.kubelet_since is not None and sample.at >= taker.not_before
    since = (sample.at if taker.since is None else taker.since) if serves else None
    return taker._replace(since=since, away_since=None)


def _wait(taker: _Taker, until: float) -> _Taker:
    return taker._replace(not_before=max(taker.not_before, until))
