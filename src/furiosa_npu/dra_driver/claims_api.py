"""Claims as the API server has them: asked for by name at Prepare, all of them at a driver's start."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from furiosa_npu.cluster.api import Answer, ApiRequest, complaint
from furiosa_npu.dra_driver.claim import API_VERSION, Claim, ClaimName, NotFetched, parse_claim
from furiosa_npu.dra_driver.claim_status import Said, said
from furiosa_npu.dra_driver.fields import FieldError, Fields, wrong
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.dra_driver.npu_config import ConfigError

Ask = Callable[[Sequence[ApiRequest]], Awaitable[tuple[Answer, ...]]]
"""As `cluster.ask.ask`, of one API server."""

_PAGE_CLAIMS = 200
"""of a list, some KiB each: all of a large cluster's would be more than an answer may be"""

_TOKEN = re.compile(r"[A-Za-z0-9_=-]+", re.ASCII)


def get_claim(named: ClaimName) -> ApiRequest:
    """Raises ValueError where that is no claim's name."""
    if named.fault is not None:
        raise ValueError(named.fault)
    return ApiRequest("GET", f"/apis/{API_VERSION}/namespaces/{named.namespace}/resourceclaims/{named.name}")


def list_claims(token: str) -> ApiRequest:
    """All namespaces', from where the answer before said to go on; empty: from the beginning."""
    path = f"/apis/{API_VERSION}/resourceclaims?limit={_PAGE_CLAIMS}"
    return ApiRequest("GET", f"{path}&continue={token}" if token else path)


class ClaimsApi:
    """What a Preparer and a Restorer fetch."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.pods: dict[str, tuple[str, ...]] = {}
        """by claim's UID, for whom it was reserved when it was last fetched: `pods train-0`"""
        self.said: dict[str, Said] = {}
        """by claim's UID, what its status said of our devices when it was last fetched, or written (claim_statuses)"""

    def forget(self, named: ClaimName) -> None:
        """It is unprepared."""
        self.pods.pop(named.uid, None)

    async def fetch(self, asked: Sequence[ClaimName]) -> Mapping[ClaimName, Claim | NotFetched | None]:
        """Each claim, None where there is none of that name, or why it could not be had."""
        if not asked:
            return {}
        requests = [get_claim(named) for named in asked]
        answers = await self._ask(requests)
        asking = zip(asked, requests, answers, strict=True)
        fetched = {named: _claim(request, answer) for named, request, answer in asking}
        for claim, answer in zip(fetched.values(), answers, strict=True):
            if isinstance(claim, Claim):
                self.pods[claim.named.uid] = claim.reserved_for
            self.said |= _said(answer)
        return fetched

    async def fetch_all(self) -> Mapping[str, Claim | NotFetched]:
        """All claims by UID. Raises NotListed."""
        claims: dict[str, Claim | NotFetched] = {}
        token: str | None = ""
        while token is not None:
            request = list_claims(token)
            (answer,) = await self._ask([request])
            reason = complaint(request, answer)
            if reason is not None:
                raise NotListed(reason)
            try:
                found, token = _page(Fields.of("", answer.body))
            except FieldError as error:
                raise NotListed(f"the API server sent what is no list of claims: {error}") from error
            claims |= found
        return claims


class NotListed(Exception):
    """The API server's claims could not be had; the message says why."""


def _claim(request: ApiRequest, answer: Answer) -> Claim | NotFetched | None:
    if answer.status == 404 and _is_of_the_claim(answer.body):
        return None
    reason = complaint(request, answer)
    if reason is not None:
        return NotFetched(reason)
    try:
        return parse_claim(answer.body, DRIVER)
    except FieldError as error:
        return NotFetched(_fault(error, f"{request.method} {request.path}: "))


def _fault(error: FieldError, where: str = "") -> str:
    """Whose it is: the user's who wrote the configuration, else the API server's."""
    return str(error) if isinstance(error, ConfigError) else f"{where}the API server sent what is no claim: {error}"


def _said(answer: Answer) -> dict[str, Said]:
    """By the UID of the claim that came, though another part of it may not be readable."""
    try:
        fields = Fields.of("", answer.body)
        status = fields.optional_inner("status") or Fields("status", {})
        return {fields.inner("metadata").text("uid"): said(status, DRIVER)}
    except FieldError:
        return {}


def _page(fields: Fields) -> tuple[dict[str, Claim | NotFetched], str | None]:
    """Claims by UID, and where to go on. Raises FieldError."""
    claims: dict[str, Claim | NotFetched] = {}
    for entry in fields.objects("items"):
        uid = entry.inner("metadata").text("uid")
        try:
            claims[uid] = parse_claim(entry.content, DRIVER)
        except FieldError as error:
            claims[uid] = NotFetched(_fault(error))
    metadata = fields.optional_inner("metadata") or Fields("metadata", {})
    token = metadata.content.get("continue") or None
    if token is not None and (not isinstance(token, str) or _TOKEN.fullmatch(token) is None):
        raise wrong(metadata.at("continue"), token, "letters, digits, -, _ and =")
    return claims, token


def _is_of_the_claim(body: object) -> bool:
    """An API server without resource.k8s.io/v1 answers 404 as well, and names no claim."""
    details = body.get("details") if isinstance(body, dict) else None
    return isinstance(details, dict) and details.get("kind") == "resourceclaims"
