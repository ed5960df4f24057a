"""The API server's audit log (audit.k8s.io/v1, an Event a line): who asked what, when, and how long it took. Pure."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "None"},
    ],
}
"""The agents' requests alone, each once, when it was answered."""


class Asked(NamedTuple):
    """One request as the API server saw it."""

    at: float
    """seconds since 1970, when it came"""
    seconds: float
    """until it was answered"""
    what: str
    """verb and resource: `patch nodes/status`"""
    status: int


def parse(lines: Iterable[str]) -> list[Asked]:
    """By when they came. A line that a killed API server left unfinished is none."""
    return sorted(asked for line in lines if line.endswith("}\n") and (asked := _asked(json.loads(line))) is not None)


def _asked(event: dict[str, object]) -> Asked | None:
    """None: of no resource (discovery, health)."""
    resource = event.get("objectRef")
    if not isinstance(resource, dict):
        return None
    came, went = (_seconds(str(event[key])) for key in ("requestReceivedTimestamp", "stageTimestamp"))
    name = "/".join(filter(None, (resource.get("resource"), resource.get("subresource"))))
    status = event.get("responseStatus")
    code = int(status.get("code", 0)) if isinstance(status, dict) else 0
    return Asked(came, went - came, f"{event['verb']} {name}", code)


def _seconds(time: str) -> float:
    """Of a meta/v1 MicroTime: `2026-01-31T09:30:00.000001Z`."""
    return datetime.fromisoformat(time).timestamp()
