"""What goes to the API server and what comes back, as values. Pure; loaded by resident agents, so no TLS in here."""

import time
from collections.abc import Mapping
from typing import Literal, NamedTuple

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""where the kubelet puts a pod's token and the cluster's CA, and renews the token"""

MANAGER = "furiosa-npu"
"""what our requests call themselves (User-Agent), and so the manager that an object's `managedFields` name for them"""

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
"""`Accept` for an object's metadata alone (since 1.15): a node's status can be 100 KiB, its metadata is a few"""


class Access(NamedTuple):
    """How the API server is reached: a kubeconfig, else the pod's own service account."""

    kubeconfig: str | None = None
    service_account: str = SERVICE_ACCOUNT
    timeout_seconds: float = 10.0
    """for each of connecting, sending and the answer"""


class ApiRequest(NamedTuple):
    """One call of the API."""

    method: str
    path: str
    """with a leading slash, names already checked"""
    accept: str = "application/json"
    content_type: str | None = None
    body: str | None = None
    only: tuple[str, ...] = ()
    """keys that lead to the part of the answer's JSON that is wanted; the child keeps the rest to itself"""


class Answer(NamedTuple):
    """What became of a request: an HTTP answer, or an error that kept it from being had."""

    status: int | None
    body: object
    """the answer's JSON; text where it was none"""
    error: str | None
    """what went wrong and whose fault it is; None with a status"""


def is_configured(kubeconfig: str | None, environment: Mapping[str, str]) -> bool:
    """Whether there is an API server to talk to at all: a kubeconfig was named, or this is a pod."""
    return kubeconfig is not None or bool(environment.get("KUBERNETES_SERVICE_HOST"))


Fate = Literal["written", "later", "refused"]
"""What became of a write: done, worth another try since the API server is away or busy, or never to be taken so."""


def fate(answer: Answer) -> Fate:
    """401 is tried again: a token is renewed under our feet."""
    if answer.status is None or answer.status in (401, 408, 429) or answer.status >= 500:
        return "later"
    return "written" if 200 <= answer.status < 300 else "refused"


def complaint(request: ApiRequest, answer: Answer) -> str | None:
    """Why the request did not do its work and whose fault that is; None: it did (status 200-299)."""
    if answer.error is not None or answer.status is None:
        return answer.error or "no answer"
    if 200 <= answer.status < 300:
        return None
    said = _message(answer.body)
    where = f"{request.method} {request.path}: the API server answered {answer.status}"
    if answer.status == 401:
        return f"{where} ({said}): it does not accept our token or certificate"
    if "ValidatingAdmissionPolicy" in said:
        return f"{where} ({said}): an admission policy forbids it"
    if answer.status == 403:
        return f"{where} ({said}): the right to {right(request)} is missing (ClusterRole and its binding)"
    if answer.status == 404:
        return f"{where} ({said}): nothing of that name there; is the name right?"
    if answer.status == 429 or answer.status >= 500:
        return f"{where} ({said}): it has trouble of its own"
    return f"{where} ({said}), expected 200"


def _message(body: object) -> str:
    """The `message` of a meta/v1 Status, or the beginning of what came instead."""
    if isinstance(body, dict) and isinstance(body.get("message"), str) and body["message"]:
        return str(body["message"])
    text = " ".join(str(body).split()) if body else "no text"
    return text if len(text) <= 200 else text[:197] + "..."


def right(request: ApiRequest) -> str:
    """What it takes, in RBAC's words: `patch nodes/status`, and `list` to read what has no name in the path."""
    parts = request.path.partition("?")[0].strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]  # /api/v1/..., /apis/GROUP/VERSION/...
    if len(parts) > 2 and parts[0] == "namespaces":
        parts = parts[2:]
    verbs = {"GET": "get", "PATCH": "patch", "PUT": "update", "POST": "create", "DELETE": "delete"}
    resource = "/".join(parts[0:3:2]) if parts else request.path  # the name stands between, or there is none
    verb = "list" if request.method == "GET" and len(parts) == 1 else verbs.get(request.method, request.method)
    return f"{verb} {resource}"


def rfc3339(seconds: float) -> str:
    """UTC, to the second, as meta/v1 Time is written: `2026-01-31T09:30:00Z`. `seconds` since 1970."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
