"""The kubelet's books of devices: what plugins listed, and which container was allotted what.

Follows Kubernetes 1.20 `pkg/kubelet/cm/devicemanager/` (`manager.go`, `pod_devices.go`), where a plugin that follows
the newest kubelet can still go wrong. Sets are gone through in the order of their names; Go's order is random.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from furiosa_npu.kubelet.deviceplugin_v1beta1 import HEALTHY, UNHEALTHY, ContainerAllocateResponse, Device

GRACE_SECONDS = 300.0
"""A resource whose plugin went away keeps its capacity that long (`endpointStopGracePeriod`)."""


class Place(NamedTuple):
    """A container's share of one resource."""

    pod_uid: str
    container: str
    resource: str


class Allotment(NamedTuple):
    devices: tuple[str, ...]
    answer: ContainerAllocateResponse
    """what the plugin answered to `Allocate`"""


class DeviceBooks:
    """Lists by resource, allotments by place."""

    def __init__(self) -> None:
        self.lists: dict[str, dict[str, Device]] = {}
        self.allotments: dict[Place, Allotment] = {}
        self._gone_since: dict[str, float] = {}

    def listed(self, resource: str, devices: Sequence[Device]) -> None:
        """A plugin's list came: it replaces the last one."""
        self.lists[resource] = {device.id: device for device in devices}
        self._gone_since.pop(resource, None)

    def plugin_gone(self, resource: str, now: float) -> None:
        """The stream of the resource's plugin ended: none of its devices is healthy any more."""
        devices = self.lists.get(resource, {})
        self.lists[resource] = {name: device._replace(health=UNHEALTHY) for name, device in devices.items()}
        self._gone_since[resource] = now

    def allocatable(self, resource: str) -> int:
        """`status.allocatable`: the healthy ones, in use or not."""
        return len(self._healthy(resource))

    def capacity(self, resource: str, now: float) -> int:
        """`status.capacity`: all that the plugin lists, for a while also those of one that went away."""
        gone_since = self._gone_since.get(resource)
        if gone_since is not None and now - gone_since >= GRACE_SECONDS:
            return 0
        return len(self.lists.get(resource, {}))

    def free(self, resource: str) -> tuple[str, ...]:
        """Healthy devices that no container has under this name."""
        in_use = {device for place, held in self.allotments.items() if place.resource == resource for device in held[0]}
        return tuple(sorted(self._healthy(resource) - in_use))

    def held(self, pod_uid: str, container: str, resource: str) -> tuple[str, ...] | None:
        """The container's devices; None before it was allotted any."""
        allotment = self.allotments.get(Place(pod_uid, container, resource))
        return None if allotment is None else allotment.devices

    def drop_all_but(self, active: Collection[str]) -> None:
        """What pods that ended still have is given back: `UpdateAllocatedDevices`."""
        self.allotments = {place: held for place, held in self.allotments.items() if place.pod_uid in active}

    def merged_answer(self, pod_uid: str, container: str) -> ContainerAllocateResponse:
        """What the container runs with. Of two resources' answers the first keeps a variable, a path, a mount.

        A CDI device that both name is given once (`getCDIDeviceInfo` of newer kubelets).
        """
        merged = ContainerAllocateResponse({})
        for place, (_, answer) in self.allotments.items():
            if (place.pod_uid, place.container) == (pod_uid, container):
                mounted = {mount.container_path for mount in merged.mounts}
                given = {device.container_path for device in merged.devices}
                merged = ContainerAllocateResponse(
                    {**answer.envs, **merged.envs},
                    merged.mounts + tuple(mount for mount in answer.mounts if mount.container_path not in mounted),
                    merged.devices + tuple(device for device in answer.devices if device.container_path not in given),
                    tuple(dict.fromkeys(merged.cdi_devices + answer.cdi_devices)),
                )
        return merged

    def _healthy(self, resource: str) -> set[str]:
        return {device.id for device in self.lists.get(resource, {}).values() if device.health == HEALTHY}
