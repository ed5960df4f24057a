"""Prepared claims as CDI: a specification a claim, and in it a device for each request. Pure.

The node's static devices (kind `furiosa.ai/npu`) are whole cards without environment; here a device is what the
containers of one request get together: its device files, and one environment that names all its cards.
"""

from binascii import crc32
from typing import NamedTuple

from furiosa_npu.allocation.cdi_devices import to_cdi
from furiosa_npu.allocation.container_edits import ContainerEdits
from furiosa_npu.cdi import specification as cdi
from furiosa_npu.cdi.names import qualified
from furiosa_npu.dra_driver.prepared import PreparedClaim, PreparedRequest
from furiosa_npu.dra_driver.prepared_document import request_entry
from furiosa_npu.watch.claimed_cards import canonical

KIND = "npu.furiosa.ai/claim"

_FILE_PREFIX = "npu.furiosa.ai-claim_"
_FILE_SUFFIX = ".json"


class AnsweredDevice(NamedTuple):
    """What the kubelet is told of one allocated device (`dra/v1` Device)."""

    request_names: tuple[str, ...]
    pool_name: str
    device_name: str
    cdi_device_ids: tuple[str, ...]
    share_id: str | None


def answer(claim: PreparedClaim) -> tuple[AnsweredDevice, ...]:
    """Each device with the CDI device of its whole request.

    The kubelet picks devices by the request that a container names, without its subrequest; a CDI device that comes
    twice is injected once (containerd, `internal/cri/opts/spec_linux.go`).
    """
    return tuple(
        AnsweredDevice(
            request_names=(request.name,),
            pool_name=device.pool,
            device_name=device.device,
            cdi_device_ids=(qualified(KIND, device_name(claim, request)),),
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


def specification(claim: PreparedClaim) -> cdi.Specification:
    """The claim's CDI specification."""
    return cdi.Specification(
        KIND, tuple(cdi.Device(device_name(claim, request), _container_edits(request)) for request in claim.requests)
    )


def file_name(uid: str) -> str:
    """Of the claim's specification, as CDI names transient ones: vendor, class, `_`, what they are for."""
    return f"{_FILE_PREFIX}{uid}{_FILE_SUFFIX}"


def uid_of_file(name: str) -> str | None:
    """The claim whose file has this name; None: it is none of ours."""
    if not name.startswith(_FILE_PREFIX) or not name.endswith(_FILE_SUFFIX):
        return None
    return name[len(_FILE_PREFIX) : -len(_FILE_SUFFIX)]


def is_begun(name: str) -> bool:
    """Whether a claim's specification was being written under this name (`cdi.spec_file`), beside its own."""
    return name.startswith(f".{_FILE_PREFIX}") and name.endswith(".new")


def _container_edits(request: PreparedRequest) -> cdi.ContainerEdits:
    environment = dict(sorted(request.environment.items()))
    return to_cdi(ContainerEdits(request.device_nodes, request.mounts, environment))
