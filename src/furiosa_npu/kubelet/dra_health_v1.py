"""Messages of the kubelet's DRA resource health API v1 (`proto/dra-health/v1/api.proto`); v1alpha1 has the same."""

from typing import NamedTuple

from furiosa_npu.kubelet.wire import Field, Schema

SUPPORTED_VERSIONS = ("v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth")
"""what a driver says at its registration; before 1.37 a kubelet knows the second alone"""

UNKNOWN, HEALTHY, UNHEALTHY = 0, 1, 2
"""`HealthStatus`"""

MAXIMUM_MESSAGE = 1024
"""characters that the kubelet takes of a message"""


class NodeWatchResourcesRequest(NamedTuple):
    pass


class DeviceIdentifier(NamedTuple):
    pool_name: str = ""
    device_name: str = ""


class DeviceHealth(NamedTuple):
    device: DeviceIdentifier | None = None
    health: int = UNKNOWN
    last_updated_time: int = 0
    """seconds since 1970, when the health was last determined"""
    health_check_timeout_seconds: int = 0
    """after which without news the kubelet holds the health for unknown; 0 is the kubelet's default, 30"""
    message: str = ""


class NodeWatchResourcesResponse(NamedTuple):
    devices: tuple[DeviceHealth, ...] = ()
    """all of the driver's"""


SCHEMA: Schema = {
    NodeWatchResourcesRequest: (),
    DeviceIdentifier: (Field(1, "string"), Field(2, "string")),
    DeviceHealth: (
        Field(1, DeviceIdentifier),
        Field(2, "int32"),
        Field(3, "int64"),
        Field(4, "int64"),
        Field(5, "string"),
    ),
    NodeWatchResourcesResponse: (Field(1, DeviceHealth, repeated=True),),
}
