"""Who was handed what: bridges the time between `Allocate` and what the kubelet shows, and learns what was freed.

There is no call that says that a device was freed. Pod-resources shows what app containers hold, the kubelet's
checkpoint also what init containers hold; an entry that either has shown ends when neither shows it any more, an entry
never shown after `NEVER_SHOWN_SECONDS`. What cannot be observed ends nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

from furiosa_npu.hardware.reading import Reading

NEVER_SHOWN_SECONDS = 10.0
"""An `Allocate` that was answered and of which the kubelet shows nothing: the pod failed for another reason."""


class Holding(NamedTuple):
    """A unit in the hands of a container, under the resource name that it asked for."""

    resource: str
    unit: str


class Entry(NamedTuple):
    allocated_at: float
    """seconds of the agent's clock, of the last `Allocate` or `PreStartContainer`"""
    shown: bool
    """the kubelet has shown it since"""


class Given(NamedTuple):
    """The device files that the containers of a held unit were given."""

    files: frozenset[str]
    """paths below /dev, as the containers have them; empty where that is not known"""
    cards: frozenset[str]
    """ids of all cards that they are of: whose of the files is whose, nobody says"""
    reading: Reading | None = None
    """what is known of the unit without its driver, should nothing of it be there"""


GivenOf = Callable[[str], Given | None]
"""By unit id; None: that is not known, as of units that were handed out as CDI devices. Made out at each call."""


def nothing_given(_: str) -> None:
    """A `GivenOf`."""


class Observation(NamedTuple):
    """What the kubelet showed, asked not before `started_at`."""

    started_at: float
    listed: frozenset[Holding] | None
    """from pod-resources; None: no answer"""
    recorded: frozenset[Holding] | None
    """from the checkpoint; None: cannot be read"""
    recorded_is_current: bool
    """the checkpoint was read after `List` was answered and the device list was sent again"""
    given: GivenOf = nothing_given
    """from the checkpoint, and of claims"""


class Ledger(NamedTuple):
    """The entries, immutable; each function below gives the next ledger."""

    entries: tuple[tuple[Holding, Entry], ...] = ()

    def holders(self, unit: str) -> tuple[str, ...]:
        """The resource names under which `unit` is in use."""
        return tuple(holding.resource for holding, _ in self.entries if holding.unit == unit)

    @property
    def units(self) -> tuple[str, ...]:
        """All units in use."""
        return tuple(dict.fromkeys(holding.unit for holding, _ in self.entries))

    def held_under(self, resource: str) -> tuple[str, ...]:
        """The units in use under the name."""
        return tuple(holding.unit for holding, _ in self.entries if holding.resource == resource)

    def not_listed(self, listed: frozenset[Holding]) -> tuple[Holding, ...]:
        """Entries that pod-resources does not show: only the checkpoint can tell of these."""
        return tuple(holding for holding, _ in self.entries if holding not in listed)


def hand_out(ledger: Ledger, resource: str, units: tuple[str, ...], now: float) -> Ledger:
    """After an answered `Allocate`: an entry a unit, new or anew."""
    entries = dict(ledger.entries)
    for unit in units:
        entries[Holding(resource, unit)] = Entry(now, shown=False)
    return Ledger(tuple(entries.items()))


def renew(ledger: Ledger, resource: str, units: tuple[str, ...], now: float) -> Ledger:
    """After an answered `PreStartContainer`: what was dropped since `Allocate` is entered again.

    What is held proves nothing by what was observed before `now`; that it was shown stays known, so that its pod's end
    frees it no later for a container that starts anew.
    """
    entries = dict(ledger.entries)
    for unit in units:
        holding = Holding(resource, unit)
        entries[holding] = Entry(now, shown=holding in entries and entries[holding].shown)
    return Ledger(tuple(entries.items()))


def settle(ledger: Ledger, seen: Observation, known_resources: frozenset[str]) -> Ledger:
    """The ledger after an observation: what the kubelet shows of `known_resources` is adopted, what it no longer shows
    is ended.
    """
    shown = frozenset(
        holding
        for holding in (seen.listed or frozenset()) | (seen.recorded or frozenset())
        if holding.resource in known_resources
    )
    conclusive = seen.listed is not None and seen.recorded is not None and seen.recorded_is_current
    entries: dict[Holding, Entry] = {}
    for holding, entry in ledger.entries:
        if seen.started_at <= entry.allocated_at:
            entries[holding] = entry
        elif holding in shown:
            entries[holding] = entry._replace(shown=True)
        elif not conclusive or not (entry.shown or seen.started_at - entry.allocated_at >= NEVER_SHOWN_SECONDS):
            entries[holding] = entry
    for holding in sorted(shown):
        entries.setdefault(holding, Entry(seen.started_at, shown=True))
    return Ledger(tuple(entries.items()))
