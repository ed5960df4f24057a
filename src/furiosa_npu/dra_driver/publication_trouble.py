"""What keeps a node's ResourceSlices from being written, in words, and whose fault it is. Pure."""

from typing import Literal, NamedTuple

from furiosa_npu.cluster.api import Answer, ApiRequest, complaint, right
from furiosa_npu.cluster.resource_slice_requests import SLICES
from furiosa_npu.cluster.resource_slices import API_VERSION
from furiosa_npu.dra_driver.names import DRIVER, DRIVER_TWICE

NOT_PUBLISHED = "NPUsNotPublished"
"""reason of the events about troubles that do not pass by themselves"""


class Notice(NamedTuple):
    """A sentence for the log: troubles once each, and their ends."""

    level: Literal["info", "warning"]
    text: str
    event: str | None = None
    """reason of an event about the node that says the same; None: the log is enough"""


class Trouble(NamedTuple):
    """Why a request did not do its work."""

    kind: str
    """what is said once while it lasts"""
    text: str
    notice: Notice | None
    """None: it mends itself"""


def stranger(slice_name: str) -> Notice:
    """Of a slice of this driver and node that this driver does not make, and has deleted."""
    text = (
        f"resource slice {slice_name} of the driver {DRIVER} on this node was not made by this driver, and was deleted"
        ": is there another vendor's or another version's driver of this name?"
    )
    return Notice("warning", text, DRIVER_TWICE)


def trouble(request: ApiRequest, answer: Answer) -> Trouble | None:
    """None: it did its work, or what it should delete is gone already."""
    said = complaint(request, answer)
    if said is None or (request.method == "DELETE" and answer.status == 404):
        return None
    if answer.status is None or answer.status in (401, 408, 429) or answer.status >= 500:
        kind = "away" if answer.status is None else str(answer.status)
        return _lasting(kind, f"the resource slices cannot be read or written: {said}", None)
    if request.path.startswith(SLICES):
        if answer.status == 404 and request.method == "PUT":
            return Trouble("deleted", f"a resource slice was deleted: {said}", None)
        if answer.status == 404:
            text = f"nothing is published: the API server does not serve {API_VERSION}, which Kubernetes has since 1.34"
            return _lasting("not served", text, NOT_PUBLISHED)
        if answer.status == 409:
            text = f"somebody else wrote a resource slice of ours, and it is read again: {said}"
            return Trouble("conflict", text, Notice("info", text))
    return _lasting(f"{right(request)} {answer.status}", f"the resource slices are not written: {said}", NOT_PUBLISHED)


def counters_refused(answer: Answer) -> Trouble | None:
    """Of a version that wants counters beside the devices that consume them; None: it is something else."""
    said = answer.body.get("message") if isinstance(answer.body, dict) else None
    if answer.status != 422 or not isinstance(said, str) or "Counters" not in said:
        return None
    return Trouble("counters", f"shared counters are refused: {said}", None)


def unreadable(error: ValueError) -> Trouble:
    return _lasting("unreadable", str(error), None)


def altered(name: str) -> Trouble:
    """What was stored is not what was written, and no feature gate explains it."""
    text = f"{name}: the API server stored something other than was written: does an admission webhook change it?"
    return _lasting("altered", text, NOT_PUBLISHED)


COUNTERS_OFF = Notice(
    "warning",
    "the API server takes no shared counters (feature gate DRAPartitionableDevices, as since Kubernetes 1.35): no "
    "partitions, only whole cards",
    "NPUPartitionsOff",
)
TAINTS_OFF = Notice(
    "warning",
    "the API server drops device taints (feature gate DRADeviceTaints): cards that would carry one are not published",
    "NPUTaintsOff",
)


def _lasting(kind: str, text: str, event: str | None) -> Trouble:
    return Trouble(kind, text, Notice("warning", text, event))
