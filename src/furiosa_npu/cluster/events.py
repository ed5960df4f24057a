"""The API's Event (core/v1): the requests that make one and that raise its count, as 1.20 to 1.37 take them. Pure.

`eventTime` stays unset, so that the rules for events of the older kind hold (pkg/apis/core/validation/events.go,
legacyValidateEvent): the event's namespace is that of what it is about, `default` for a node.
"""

import json
from typing import Literal, NamedTuple

from furiosa_npu.cluster.api import METADATA_ONLY, ApiRequest, rfc3339
from furiosa_npu.cluster.objects import Subject, is_subject

MAXIMUM_MESSAGE_BYTES = 1024
"""events.k8s.io/v1 allows so many in a note, and counts bytes"""

MAXIMUM_NAME_CHARACTERS = 253


class Event(NamedTuple):
    """Something that happened to an object; what is the same in all of it is gathered into one event with a count."""

    about: Subject
    type: Literal["Normal", "Warning"]
    reason: str
    """one word in CamelCase, at most 128 characters"""
    message: str
    """for people; what is longer than 1024 bytes is cut"""


class Source(NamedTuple):
    """Who says it."""

    component: str
    host: str
    """the node's name"""


class Record(NamedTuple):
    """How often an event was seen, and when."""

    name: str
    """of the Event object"""
    times: int
    first: float
    """seconds since 1970"""
    last: float


def event_name(about: Subject, number: int) -> str:
    """`npu-pod.18a3f0c2d1`: a DNS subdomain of at most 253 characters; `number` makes it unique."""
    end = f".{number:x}"
    return about.name[: MAXIMUM_NAME_CHARACTERS - len(end)].rstrip("-.") + end


def post_event(event: Event, record: Record, uid: str, source: Source) -> ApiRequest:
    """Makes the event. `uid` is that of what it is about: `kubectl describe` finds it by that.

    For a node it is the node's name, as the kubelet has it: `describe node` of 1.20 asks for no other. Raises
    ValueError for what cannot be an object's name.
    """
    about = event.about
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": record.name, "namespace": _namespace(about)},
        "involvedObject": {"apiVersion": "v1", "kind": about.kind, "name": about.name, "uid": uid}
        | ({"namespace": about.namespace} if about.namespace else {}),
        "type": event.type,
        "reason": event.reason,
        "message": cut(event.message),
        "source": source._asdict(),
        "reportingComponent": source.component,
        "reportingInstance": source.host,
        "firstTimestamp": rfc3339(record.first),
        "lastTimestamp": rfc3339(record.last),
        "count": record.times,
    }
    return ApiRequest("POST", _path(about), METADATA_ONLY, "application/json", _json(body))


def patch_event(about: Subject, record: Record) -> ApiRequest:
    """Says of an event made earlier that it was seen again (RFC 7386). Raises ValueError as `post_event`."""
    body = {"count": record.times, "lastTimestamp": rfc3339(record.last)}
    path = f"{_path(about)}/{record.name}"
    return ApiRequest("PATCH", path, METADATA_ONLY, "application/merge-patch+json", _json(body))


def cut(message: str, maximum_bytes: int = MAXIMUM_MESSAGE_BYTES) -> str:
    """At most so many bytes of UTF-8, no character halved."""
    content = message.encode("utf-8", "replace")
    if len(content) <= maximum_bytes:
        return content.decode()
    return content[: maximum_bytes - 3].decode("utf-8", "ignore") + "..."


def _namespace(about: Subject) -> str:
    return about.namespace or "default"


def _path(about: Subject) -> str:
    if not is_subject(about):
        raise ValueError(f"found '{about.namespace}/{about.name}', expected a {about.kind.lower()}'s name")
    return f"/api/v1/namespaces/{_namespace(about)}/events"


def _json(body: dict[str, object]) -> str:
    return json.dumps(body, separators=(",", ":"), sort_keys=True)
