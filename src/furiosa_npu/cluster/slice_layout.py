"""Which slice of a pool a device stands in, or a counter set: within the API's bounds, and where it stood. Pure.

Devices that belong together, a card and its parts, stand in one slice: what becomes of them changes no other. What goes
leaves room for what comes. A device may consume counters of any slice of its pool.
"""

from binascii import crc32
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.cluster.resource_slices import MAXIMUM_COUNTER_SETS, MAXIMUM_DEVICES, Content, Counters, Device, Owner

_MAXIMUM_PREFIX_CHARACTERS = 249
"""of a slice's name, which has 253 at most: the number stands behind"""


class Group(NamedTuple):
    """Devices that belong together, and the counters that they share."""

    name: str
    """of the group, and of its counter set: a DNS label"""
    devices: tuple[Device, ...]
    """64 at most"""
    counters: Counters | None = None
    """None: they share none"""


def lay_out(groups: Sequence[Group], owner: Owner, standing: Mapping[str, Content]) -> dict[str, Content]:
    """The pool's slices by name, those with counters first; `standing`: what the API server has, by name.

    Raises ValueError for a group that is too large for a slice.
    """
    sets = {group.name: group.counters for group in groups if group.counters is not None}
    prefix = _prefix(owner, "counters")
    stood = _numbers(prefix, {name: content.counter_sets for name, content in standing.items()})
    slices = {
        f"{prefix}{number}": Content(counter_sets={name: sets[name] for name in names})
        for number, names in _placed(dict.fromkeys(sets, 1), stood, MAXIMUM_COUNTER_SETS)
    }
    members = {group.name: group.devices for group in groups if group.devices}
    prefix = _prefix(owner, "devices")
    stood = _numbers(prefix, {name: [device.name for device in content.devices] for name, content in standing.items()})
    stood = {
        name: stood[device.name] for name, devices in members.items() for device in devices if device.name in stood
    }
    placed = _placed({name: len(devices) for name, devices in members.items()}, stood, MAXIMUM_DEVICES)
    return slices | {
        f"{prefix}{number}": Content(tuple(device for name in names for device in members[name]))
        for number, names in placed
    }


def is_slice_name(name: str, owner: Owner) -> bool:
    """Whether a slice of this name is one that `lay_out` makes."""
    return any(name.removeprefix(_prefix(owner, kind)).isdecimal() for kind in ("counters", "devices"))


def _prefix(owner: Owner, kind: str) -> str:
    """`worker-1.npu.furiosa.ai-devices-`: always the same, so that what was written and not heard of is found again."""
    base, end = f"{owner.node}.{owner.driver}", f"-{kind}-"
    if len(base) + len(end) > _MAXIMUM_PREFIX_CHARACTERS:
        end = f"-{crc32(base.encode()):08x}{end}"
        base = base[: _MAXIMUM_PREFIX_CHARACTERS - len(end)].rstrip("-.")
    return base + end


def _numbers(prefix: str, standing: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """The number of the slice in which each member stands."""
    found = {}
    for name, members in standing.items():
        number = name.removeprefix(prefix)
        if number != name and number.isdecimal() and len(number) <= 4:
            found.update(dict.fromkeys(members, int(number)))
    return found


def _placed(sizes: Mapping[str, int], stood: Mapping[str, int], room: int) -> list[tuple[int, list[str]]]:
    """Slice by slice the names in it: each where it stood, as far as there is room, else in the first that has room."""
    free: dict[int, int] = {}
    placed: dict[str, int] = {}

    def place(name: str, number: int) -> bool:
        if free.get(number, room) < sizes[name]:
            return False
        free[number] = free.get(number, room) - sizes[name]
        placed[name] = number
        return True

    for name, size in sizes.items():
        if size > room:
            raise ValueError(f"{name}: found {size} devices that belong together, expected at most {room}")
        if name in stood:
            place(name, stood[name])
    for name in sizes:
        if name not in placed:
            number = 0
            while not place(name, number):
                number += 1
    return [(number, [name for name in sizes if placed[name] == number]) for number in sorted(free)]
