"""What is to be written next so that the API server's slices become those that are wanted. Pure.

Consumers of a pool believe its highest generation, and that only when as many slices of it are there as each of them
says. So each change is written under a new generation, and nobody acts on half of it. The order keeps more: counters
are stored, and read back, before a device that consumes them is written; where none of them is new, they come last.
What is no longer wanted is deleted when all else stands, counters when no device is left. While it is not known whether
taints are stored, a pool with tainted devices says that one more slice is to come: no consumer takes a tainted card for
a good one, should they be dropped.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.cluster.api import ApiRequest
from furiosa_npu.cluster.resource_slice_requests import create_slice, delete_slice, update_slice
from furiosa_npu.cluster.resource_slices import Content, Owner, PoolState, Slice, with_known_times, without_times
from furiosa_npu.cluster.slice_layout import Group, lay_out
from furiosa_npu.dra_driver.gates import Gates


class Write(NamedTuple):
    """One slice that is to be created, replaced or deleted."""

    name: str
    before: Slice | None
    """None: there is none of this name"""
    content: Content | None
    """None: it is to be deleted"""
    owner: Owner
    pool: PoolState

    def request(self) -> ApiRequest:
        """Raises ValueError for what is no name."""
        if self.content is None:
            if self.before is None:
                raise ValueError(f"{self.name}: found neither a slice nor content for one")
            return delete_slice(self.before)
        if self.before is None:
            return create_slice(self.name, self.owner, self.pool, self.content)
        content = with_known_times(self.content, self.before.content)
        return update_slice(self.before, self.owner, self.pool, content)

    def is_done(self, stored: Slice) -> bool:
        """Whether `stored` is what was written."""
        return (stored.pool, stored.owner) == (self.pool, self.owner) and _same(stored.content, self.content)


def next_writes(groups: Sequence[Group], stored: Mapping[str, Slice], owner: Owner, gates: Gates) -> tuple[Write, ...]:
    """What can be written at once; the next ones follow from what then is stored. Empty: all is as wanted."""
    standing = {name: found.content for name, found in stored.items() if found.content is not None}
    slices = lay_out(groups, owner, standing)
    unproven = gates.taints is None and any(device.taints for group in groups for device in group.devices)
    count = len(slices) + unproven
    right = {name for name, content in slices.items() if _is_right(stored.get(name), content, owner, count)}
    newest = max((found.pool.generation for found in stored.values()), default=0)
    half_done = [name for name, found in stored.items() if found.pool.generation == newest]
    pool = PoolState(newest if half_done and right.issuperset(half_done) else newest + 1, count)
    pending = [
        Write(name, stored.get(name), content, owner, pool)
        for name, content in slices.items()
        if name not in right or stored[name].pool != pool
    ]
    counters = [write for write in pending if slices[write.name].counter_sets]
    if any(not _has_counters(standing.get(write.name), slices[write.name]) for write in counters):
        return tuple(counters)
    if pending:
        return tuple([write for write in pending if not slices[write.name].counter_sets] + counters)
    unwanted = [Write(name, found, None, owner, pool) for name, found in stored.items() if name not in slices]
    devices = [write for write in unwanted if write.name in standing and standing[write.name].devices]
    return tuple(devices or unwanted)


def _is_right(found: Slice | None, content: Content, owner: Owner, count: int) -> bool:
    """Whatever its generation."""
    return (
        found is not None and found.owner == owner and found.pool.slice_count == count and _same(found.content, content)
    )


def _same(one: Content | None, other: Content | None) -> bool:
    return one is not None and other is not None and without_times(one) == without_times(other)


def _has_counters(standing: Content | None, content: Content) -> bool:
    sets = {} if standing is None else standing.counter_sets
    return all(sets.get(name) == counters for name, counters in content.counter_sets.items())
