"""Feature gates of the API server, known by what it stored: a closed gate drops its fields without a word. Pure.

Counters (DRAPartitionableDevices) and taints (DRADeviceTaints) are on by default from Kubernetes 1.36 on.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from furiosa_npu.cluster.resource_slices import Content, Device
from furiosa_npu.cluster.slice_layout import Group
from furiosa_npu.dra_driver.devices import CardDevices


class Gates(NamedTuple):
    """Whether fields are stored; None: not tried yet."""

    counters: bool | None = None
    """`sharedCounters` and `consumesCounters`"""
    taints: bool | None = None

    def in_doubt(self) -> "Gates":
        """An API server that was away may be another one by now: what it dropped is tried again."""
        return Gates(self.counters or None, self.taints or None)


def admitted(cards: Sequence[CardDevices], gates: Gates) -> tuple[Group, ...]:
    """What is published with such gates.

    Where PEs are not counted, nothing that two claims could get at once; where taints are dropped, no card that would
    carry one, and that card whole.
    """
    groups = []
    for card in cards:
        devices, counters = card.devices, card.counters if gates.counters is not False else None
        if counters is None:
            devices = tuple(device._replace(consumes={}) for device in devices if device.name not in card.counted)
        if devices and not (gates.taints is False and _any_tainted(devices)):
            groups.append(Group(card.name, devices, counters))
    return tuple(groups)


def learned(gates: Gates, written: Content, stored: Content) -> Gates:
    """What the gates are known to be once `written` was read back as `stored`.

    A gate that took something is closed, though slices that had the field before may keep it.
    """
    found = {device.name: device for device in stored.devices}
    pairs = [(device, found[device.name]) for device in written.devices if device.name in found]
    counters = [bool(other.consumes) for device, other in pairs if device.consumes]
    counters += [name in stored.counter_sets for name in written.counter_sets]
    taints = [bool(other.taints) for device, other in pairs if device.taints]
    return Gates(
        gates.counters is not False and all(counters) if counters else gates.counters,
        gates.taints is not False and all(taints) if taints else gates.taints,
    )


def storable(content: Content, gates: Gates) -> Content:
    """What is left of it where such gates are closed."""
    if gates.counters is False:
        devices = tuple(device._replace(consumes={}) for device in content.devices)
        content = Content(devices)
    if gates.taints is False:
        content = content._replace(devices=tuple(device._replace(taints=()) for device in content.devices))
    return content


def evident(gates: Gates, stored: Content) -> Gates:
    """What a slice that stands there says of gates that were not tried yet."""
    counted = bool(stored.counter_sets) or any(device.consumes for device in stored.devices)
    tainted = _any_tainted(stored.devices)
    return Gates(
        True if gates.counters is None and counted else gates.counters,
        True if gates.taints is None and tainted else gates.taints,
    )


def _any_tainted(devices: Iterable[Device]) -> bool:
    return any(device.taints for device in devices)
