"""Claims as the API server has them: asked for by name at Prepare, all of them at a driver's start."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from furiosa_npu.cluster.api import Answer, ApiRequest, complaint
from furiosa_npu.dra_driver.claim import API_VERSION, Claim, ClaimName, NotFetched, parse_claim
from furiosa_npu.dra_driver.fields import FieldError, Fields
from furiosa_npu.dra_driver.names import DRIVER

Ask = Callable[[Sequence[ApiRequest]], Awaitable[tuple[Answer, ...]]]
"""As `cluster.ask.ask`, of one API server."""

LIST = ApiRequest("GET", f"/apis/{API_VERSION}/resourceclaims")
"""all namespaces'"""


def get_claim(named: ClaimName) -> ApiRequest:
    """Raises ValueError where that is no claim's name."""
    if named.fault is not None:
        raise ValueError(named.fault)
    return ApiRequest("GET", f"/apis/{API_VERSION}/namespaces/{named.namespace}/resourceclaims/{named.name}")


class ClaimsApi:
    """What a Preparer and a Restorer fetch."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.pods: dict[str, tuple[str, ...]] = {}
        """by claim's UID, for whom it was reserved when it was last fetched: `pods train-0`"""

    async def fetch(self, asked: Sequence[ClaimName]) -> Mapping[ClaimName, Claim | NotFetched | None]:
        """Each claim, None where there is none of that name, or why it could not be had."""
        if not asked:
            return {}
        requests = [get_claim(named) for named in asked]
        answers = await self._ask(requests)
        asking = zip(asked, requests, answers, strict=True)
        fetched = {named: _claim(request, answer) for named, request, answer in asking}
        for claim in fetched.values():
            if isinstance(claim, Claim):
                self.pods[claim.named.uid] = claim.reserved_for
        return fetched

    async def fetch_all(self) -> Mapping[str, Claim | NotFetched]:
        """All claims by UID. Raises NotListed."""
        (answer,) = await self._ask([LIST])
        reason = complaint(LIST, answer)
        if reason is not None:
            raise NotListed(reason)
        claims: dict[str, Claim | NotFetched] = {}
        try:
            for entry in Fields.of("", answer.body).objects("items"):
                uid = entry.inner("metadata").text("uid")
                try:
                    claims[uid] = parse_claim(entry.content, DRIVER)
                except FieldError as error:
                    claims[uid] = NotFetched(f"the API server sent what is no claim: {error}")
        except FieldError as error:
            raise NotListed(f"the API server sent what is no list of claims: {error}") from error
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
        return NotFetched(f"{request.method} {request.path}: the API server sent what is no claim: {error}")


def _is_of_the_claim(body: object) -> bool:
    """An API server without resource.k8s.io/v1 answers 404 as well, and names no claim."""
    details = body.get("details") if isinstance(body, dict) else None
    return isinstance(details, dict) and details.get("kind") == "resourceclaims"
