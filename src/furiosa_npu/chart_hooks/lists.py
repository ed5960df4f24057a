"""Reads lists of the API server page by page: of thousands of pods one answer would be too long."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from furiosa_npu.cluster.api import ApiRequest, complaint
from furiosa_npu.cluster.blocking import Ask

METADATA_OF_EACH = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
"""`Accept` for a list of objects' metadata alone; the kind for one object is refused here (406)"""
PAGE = 100
"""objects; a node's status can be 100 KiB, and an answer is at most 16 MiB"""
_TOGETHER = 50
"""writes over one connection"""


class Unanswered(Exception):
    """The API server did not do what it was asked: which request, why, and whose fault that is."""


def listed(ask: Ask, path: str, selector: str = "", accept: str = "application/json") -> Iterator[dict[str, Any]]:
    """The objects of a list. `selector`: `fieldSelector=...`, quoted. Raises Unanswered.

    An API that this cluster does not serve (404: DRA on older ones) has no objects.
    """
    following = ""
    while True:
        query = "&".join(filter(None, (selector, f"limit={PAGE}", following)))
        request = ApiRequest("GET", f"{path}?{query}", accept)
        (answer,) = ask([request])
        if answer.status == 404:
            return
        reason = complaint(request, answer)
        if reason is not None:
            raise Unanswered(reason)
        if not isinstance(answer.body, dict) or not isinstance(answer.body.get("items") or [], list):
            raise Unanswered(f"GET {path}: found {str(answer.body)[:80]}, expected a list")
        yield from answer.body.get("items") or ()
        token = (answer.body.get("metadata") or {}).get("continue")
        if not token:
            return
        following = f"continue={quote(token, safe='')}"


def carry_out(ask: Ask, requests: Sequence[ApiRequest]) -> None:
    """Writes; what is gone already is no failure. Raises Unanswered."""
    for start in range(0, len(requests), _TOGETHER):
        batch = requests[start : start + _TOGETHER]
        for request, answer in zip(batch, ask(batch), strict=True):
            reason = complaint(request, answer)
            if reason is not None and answer.status != 404:
                raise Unanswered(reason)
