"""Messages of the kubelet's DRA API v1 (`proto/dra/v1/api.proto`): claims are prepared for pods, and unprepared.

`Device.share_id` is not described: none of our devices can be shared by capacity.
"""

from collections.abc import Mapping
from typing import NamedTuple

from furiosa_npu.kubelet.wire import Field, Schema

SUPPORTED_VERSION = "v1.DRAPlugin"
"""what a driver says at its registration"""


class Claim(NamedTuple):
    namespace: str = ""
    uid: str = ""
    name: str = ""


class NodePrepareResourcesRequest(NamedTuple):
    claims: tuple[Claim, ...] = ()


class Device(NamedTuple):
    request_names: tuple[str, ...] = ()
    """the claim's requests that the device is for"""
    pool_name: str = ""
    device_name: str = ""
    cdi_device_ids: tuple[str, ...] = ()
    """fully qualified: `vendor.com/class=name`"""


class NodePrepareResourceResponse(NamedTuple):
    devices: tuple[Device, ...] = ()
    error: str = ""
    """empty where it was prepared"""


class NodePrepareResourcesResponse(NamedTuple):
    claims: Mapping[str, NodePrepareResourceResponse]
    """by the claim's UID, each that was asked for"""


class NodeUnprepareResourcesRequest(NamedTuple):
    claims: tuple[Claim, ...] = ()


class NodeUnprepareResourceResponse(NamedTuple):
    error: str = ""


class NodeUnprepareResourcesResponse(NamedTuple):
    claims: Mapping[str, NodeUnprepareResourceResponse]


SCHEMA: Schema = {
    Claim: (Field(1, "string"), Field(2, "string"), Field(3, "string")),
    NodePrepareResourcesRequest: (Field(1, Claim, repeated=True),),
    Device: (
        Field(1, "string", repeated=True),
        Field(2, "string"),
        Field(3, "string"),
        Field(4, "string", repeated=True),
    ),
    NodePrepareResourceResponse: (Field(1, Device, repeated=True), Field(2, "string")),
    NodePrepareResourcesResponse: (Field(1, NodePrepareResourceResponse, mapped=True),),
    NodeUnprepareResourcesRequest: (Field(1, Claim, repeated=True),),
    NodeUnprepareResourceResponse: (Field(1, "string"),),
    NodeUnprepareResourcesResponse: (Field(1, NodeUnprepareResourceResponse, mapped=True),),
}
