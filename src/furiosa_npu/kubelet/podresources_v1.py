"""Messages of the kubelet's pod-resources API v1 (`proto/podresources/v1/api.proto`): who holds which device.

Only the fields that say so are described; the others are skipped. Ordinary init containers are never listed.
"""

from typing import NamedTuple

from furiosa_npu.kubelet.wire import Field, Schema


class ListPodResourcesRequest(NamedTuple):
    pass


class ContainerDevices(NamedTuple):
    resource_name: str = ""
    device_ids: tuple[str, ...] = ()


class ContainerResources(NamedTuple):
    name: str = ""
    devices: tuple[ContainerDevices, ...] = ()


class PodResources(NamedTuple):
    name: str = ""
    namespace: str = ""
    containers: tuple[ContainerResources, ...] = ()


class ListPodResourcesResponse(NamedTuple):
    pod_resources: tuple[PodResources, ...] = ()


SCHEMA: Schema = {
    ListPodResourcesRequest: (),
    ContainerDevices: (Field(1, "string"), Field(2, "string", repeated=True)),
    ContainerResources: (Field(1, "string"), Field(2, ContainerDevices, repeated=True)),
    PodResources: (Field(1, "string"), Field(2, "string"), Field(3, ContainerResources, repeated=True)),
    ListPodResourcesResponse: (Field(1, PodResources, repeated=True),),
}
