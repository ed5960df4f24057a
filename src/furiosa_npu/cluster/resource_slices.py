"""ResourceSlices of resource.k8s.io/v1 as values: devices, the counters that they share, and the pool around. Pure.

Source: Kubernetes `staging/src/k8s.io/api/resource/v1/types.go` and `pkg/apis/resource/validation/validation.go`, 1.37.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

API_VERSION = "resource.k8s.io/v1"
KIND = "ResourceSlice"

MAXIMUM_DEVICES = 64
"""in a slice where one has taints or consumes counters; else the API takes 128, but a taint may come at any time"""
MAXIMUM_COUNTER_SETS = 8
"""in a slice, which then holds no devices"""
MAXIMUM_TEXT_BYTES = 64
"""of an attribute that is a string or a version"""

Effect = Literal["None", "NoSchedule", "NoExecute"]


class Version(NamedTuple):
    """A version of semver.org 2.0.0."""

    text: str


AttributeValue = str | int | bool | Version

Counters = Mapping[str, int]
"""By the counter's name, a DNS label."""


class Taint(NamedTuple):
    """What keeps claims off a device, unless they tolerate it."""

    key: str
    """a label's name"""
    value: str
    """a label's value, or empty"""
    effect: Effect
    time_added: str | None = None
    """RFC 3339, to the second; None: the API server says when"""


class Device(NamedTuple):
    """What can be claimed."""

    name: str
    """a DNS label"""
    attributes: Mapping[str, AttributeValue]
    """by C identifiers, which belong to the driver, or qualified names"""
    capacity: Mapping[str, int]
    consumes: Mapping[str, Counters] = {}
    """by counter set, two at most: how much of its counters the device takes"""
    taints: tuple[Taint, ...] = ()


class Content(NamedTuple):
    """What is published in one slice: devices or counter sets, never both."""

    devices: tuple[Device, ...] = ()
    counter_sets: Mapping[str, Counters] = {}


class PoolState(NamedTuple):
    """What each slice says of the whole pool."""

    generation: int
    slice_count: int
    """consumers wait until they see so many of this generation"""


class Owner(NamedTuple):
    """Whose pool it is: a driver's on a node, whose name it has. The slices go when the node does."""

    driver: str
    node: str
    node_uid: str


class Slice(NamedTuple):
    """A ResourceSlice as the API server has it."""

    name: str
    uid: str
    resource_version: str
    owner: Owner | None
    """None: it is of another pool, or belongs to no node"""
    pool: PoolState
    content: Content | None
    """None: it cannot be read"""


def without_times(content: Content) -> Content:
    """For comparing: when a taint was added makes no difference."""
    if not any(device.taints for device in content.devices):
        return content
    return content._replace(devices=tuple(_timeless(device) for device in content.devices))


def with_known_times(content: Content, known: Content | None) -> Content:
    """Taints that stand in `known` keep the time at which they were added."""
    times = {
        (device.name, taint._replace(time_added=None)): taint.time_added
        for device in (known.devices if known is not None else ())
        for taint in device.taints
    }
    if not times:
        return content

    def remembered(name: str, taint: Taint) -> Taint:
        time = times.get((name, taint._replace(time_added=None)))
        return taint if time is None else taint._replace(time_added=time)

    return content._replace(
        devices=tuple(
            device._replace(taints=tuple(remembered(device.name, taint) for taint in device.taints))
            for device in content.devices
        )
    )


def _timeless(device: Device) -> Device:
    return device._replace(taints=tuple(taint._replace(time_added=None) for taint in device.taints))
