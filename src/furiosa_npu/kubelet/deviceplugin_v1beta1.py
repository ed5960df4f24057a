"""Messages of the kubelet's device plugin API v1beta1 (`proto/deviceplugin/v1beta1/api.proto`).

Names are the definition's in Python's spelling. Repeated fields are tuples, absent messages None.
"""

from collections.abc import Mapping
from typing import NamedTuple

from furiosa_npu.kubelet.wire import Field, Schema

VERSION = "v1beta1"
HEALTHY = "Healthy"
UNHEALTHY = "Unhealthy"
KUBELET_SOCKET = "kubelet.sock"


class Empty(NamedTuple):
    pass


class DevicePluginOptions(NamedTuple):
    pre_start_required: bool = False
    get_preferred_allocation_available: bool = False


class RegisterRequest(NamedTuple):
    version: str = ""
    endpoint: str = ""
    """name of the plugin's socket inside the device plugins' folder"""
    resource_name: str = ""
    options: DevicePluginOptions | None = None


class NUMANode(NamedTuple):
    id: int = 0


class TopologyInfo(NamedTuple):
    nodes: tuple[NUMANode, ...] = ()


class Device(NamedTuple):
    id: str = ""
    health: str = ""
    topology: TopologyInfo | None = None


class ListAndWatchResponse(NamedTuple):
    devices: tuple[Device, ...] = ()


class PreStartContainerRequest(NamedTuple):
    devices_ids: tuple[str, ...] = ()


class PreStartContainerResponse(NamedTuple):
    pass


class ContainerPreferredAllocationRequest(NamedTuple):
    available_device_ids: tuple[str, ...] = ()
    must_include_device_ids: tuple[str, ...] = ()
    allocation_size: int = 0


class PreferredAllocationRequest(NamedTuple):
    container_requests: tuple[ContainerPreferredAllocationRequest, ...] = ()


class ContainerPreferredAllocationResponse(NamedTuple):
    device_ids: tuple[str, ...] = ()


class PreferredAllocationResponse(NamedTuple):
    container_responses: tuple[ContainerPreferredAllocationResponse, ...] = ()


class ContainerAllocateRequest(NamedTuple):
    devices_ids: tuple[str, ...] = ()


class AllocateRequest(NamedTuple):
    container_requests: tuple[ContainerAllocateRequest, ...] = ()


class Mount(NamedTuple):
    container_path: str = ""
    host_path: str = ""
    read_only: bool = False


class DeviceSpec(NamedTuple):
    container_path: str = ""
    host_path: str = ""
    permissions: str = ""


class CDIDevice(NamedTuple):
    name: str = ""
    """qualified: `vendor.com/class=device`"""


class ContainerAllocateResponse(NamedTuple):
    envs: Mapping[str, str]
    mounts: tuple[Mount, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    cdi_devices: tuple[CDIDevice, ...] = ()
    """read by kubelets since 1.28, by default since 1.29; older ones drop it without a word"""


class AllocateResponse(NamedTuple):
    container_responses: tuple[ContainerAllocateResponse, ...] = ()


SCHEMA: Schema = {
    Empty: (),
    DevicePluginOptions: (Field(1, "bool"), Field(2, "bool")),
    RegisterRequest: (Field(1, "string"), Field(2, "string"), Field(3, "string"), Field(4, DevicePluginOptions)),
    NUMANode: (Field(1, "int64"),),
    TopologyInfo: (Field(1, NUMANode, repeated=True),),
    Device: (Field(1, "string"), Field(2, "string"), Field(3, TopologyInfo)),
    ListAndWatchResponse: (Field(1, Device, repeated=True),),
    PreStartContainerRequest: (Field(1, "string", repeated=True),),
    PreStartContainerResponse: (),
    ContainerPreferredAllocationRequest: (
        Field(1, "string", repeated=True),
        Field(2, "string", repeated=True),
        Field(3, "int32"),
    ),
    PreferredAllocationRequest: (Field(1, ContainerPreferredAllocationRequest, repeated=True),),
    ContainerPreferredAllocationResponse: (Field(1, "string", repeated=True),),
    PreferredAllocationResponse: (Field(1, ContainerPreferredAllocationResponse, repeated=True),),
    ContainerAllocateRequest: (Field(1, "string", repeated=True),),
    AllocateRequest: (Field(1, ContainerAllocateRequest, repeated=True),),
    Mount: (Field(1, "string"), Field(2, "string"), Field(3, "bool")),
    DeviceSpec: (Field(1, "string"), Field(2, "string"), Field(3, "string")),
    CDIDevice: (Field(1, "string"),),
    ContainerAllocateResponse: (
        Field(1, "string", mapped=True),
        Field(2, Mount, repeated=True),
        Field(3, DeviceSpec, repeated=True),
        Field(5, CDIDevice, repeated=True),
    ),
    AllocateResponse: (Field(1, ContainerAllocateResponse, repeated=True),),
}
