"""Messages of the kubelet's plugin registration API v1 (`proto/pluginregistration/v1/api.proto`)."""

from typing import NamedTuple

from furiosa_npu.kubelet.wire import Field, Schema

DRA_PLUGIN = "DRAPlugin"
"""`PluginInfo.type` of a DRA driver"""
DEVICE_PLUGIN = "DevicePlugin"
"""of a device plugin; its `name` is the resource's"""


class InfoRequest(NamedTuple):
    pass


class PluginInfo(NamedTuple):
    type: str = ""
    name: str = ""
    endpoint: str = ""
    """path of the socket that the plugin serves the kubelet's calls on"""
    supported_versions: tuple[str, ...] = ()
    """gRPC services, e.g. `v1.DRAPlugin`"""


class RegistrationStatus(NamedTuple):
    plugin_registered: bool = False
    error: str = ""
    """why not"""


class RegistrationStatusResponse(NamedTuple):
    pass


SCHEMA: Schema = {
    InfoRequest: (),
    PluginInfo: (Field(1, "string"), Field(2, "string"), Field(3, "string"), Field(4, "string", repeated=True)),
    RegistrationStatus: (Field(1, "bool"), Field(2, "string")),
    RegistrationStatusResponse: (),
}
