"""Prepared claims as CDI: a specification a claim, in it a device for each request and one for each of its NPUs. Pure.

The node's static devices (kind `furiosa.ai/npu`) are whole cards without environment; here a request's device is one
environment that names all its cards, and each card's or part's device its device files.
"""

from binascii import crc32
from typing import NamedTuple

from furiosa_npu.allocation.cdi_devices import to_cdi
from furiosa_npu.allocation.container_edits import ContainerEdits
from furiosa_npu.cdi import specification as cdi
from furiosa_npu.cdi.names import qualified, transient_file_name, transient_id
from furiosa_npu.dra_driver.prepared import PreparedClaim, PreparedDevice, PreparedRequest
from furiosa_npu.dra_driver.prepared_document import request_entry
from furiosa_npu.watch.claimed_cards import CLAIM_KIND as KIND
from furiosa_npu.watch.claimed_cards import canonical


class AnsweredDevice(NamedTuple):
    """What the kubelet is told of one allocated device (`dra/v1` Device)."""

    request_names: tuple[str, ...]
    pool_name: str
    device_name: str
    cdi_device_ids: tuple[str, ...]
    share_id: str | None


def answer(claim: PreparedClaim) -> tuple[AnsweredDevice, ...]:
    """Each device with its own CDI device and that of its whole request.

    Its own comes first: by the first one the kubelet tells devices apart in the pod's status, and of two with the same
    one only one's health is shown (`pkg/kubelet/cm/dra/manager.go`, UpdateAllocatedResourcesStatus). The kubelet picks
    devices by the request that a container names, without its subrequest; a CDI device that comes twice is injected
    once (containerd, `internal/cri/opts/spec_linux.go`).
    """
    return tuple(
        AnsweredDevice(
            request_names=(request.name,),
            pool_name=device.pool,
            device_name=device.device,
            cdi_device_ids=tuple(qualified(KIND, name) for name in _names_for(claim, request, device)),
            share_id=device.share_id,
        )
        for request in claim.requests
        for device in request.devices
    )


def device_name(claim: PreparedClaim, request: PreparedRequest) -> str:
    """`UID-REQUEST-CHECKSUM`: what is prepared otherwise has another name.

    A runtime keeps specifications in memory and may be late to see that a file was replaced: a claim that is prepared
    again with other cards must not get the last ones by their name. And a CDI file tells by it which devices it was
    written for.
    """
    return f"{claim.named.uid}-{request.name}-{crc32(canonical(request_entry(request)).encode()):08x}"


def npu_name(claim: PreparedClaim, request: PreparedRequest, device: PreparedDevice) -> str:
    """`UID-REQUEST-CHECKSUM.DEVICE`: of one NPU of the request."""
    return f"{device_name(claim, request)}.{device.device}"


def specification(claim: PreparedClaim) -> cdi.Specification:
    """The claim's CDI specification."""
    devices: list[cdi.Device] = []
    for request in claim.requests:
        common = ContainerEdits((), request.mounts, dict(sorted(request.environment.items())))
        devices.append(cdi.Device(device_name(claim, request), to_cdi(common)))
        devices += [
            cdi.Device(npu_name(claim, request, device), to_cdi(ContainerEdits(device.device_nodes, (), {})))
            for device in request.devices
            if device.device_nodes
        ]
    return cdi.Specification(KIND, tuple(devices))


def file_name(uid: str) -> str:
    """Of the claim's specification."""
    return transient_file_name(KIND, uid)


def uid_of_file(name: str) -> str | None:
    """The claim whose file has this name; None: it is none of ours."""
    return transient_id(KIND, name)


def _names_for(claim: PreparedClaim, request: PreparedRequest, device: PreparedDevice) -> tuple[str, ...]:
    """A card that is only looked on by admin access may have no file to give."""
    whole = device_name(claim, request)
    return (npu_name(claim, request, device), whole) if device.device_nodes else (whole,)
