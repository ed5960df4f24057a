"""Claims fetched from the API server: what each answer of it means."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.dra_driver.claim import Claim, ClaimName, NotFetched
from furiosa_npu.dra_driver.claims_api import ClaimsApi, NotListed, get_claim

ONE, TWO = ClaimName("default", "one", "uid-1"), ClaimName("team", "two", "uid-2")
PATH = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/one"


def document(named: ClaimName) -> dict[str, Any]:
    return {"metadata": {"namespace": named.namespace, "name": named.name, "uid": named.uid}}


def api(*answers: Answer) -> tuple[ClaimsApi, list[str]]:
    """And the paths that were asked for."""
    asked: list[str] = []

    async def ask(requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        asked.extend(request.path for request in requests)
        return answers

    return ClaimsApi(ask), asked


def ok(body: object) -> Answer:
    return Answer(200, body, None)


def test_claims_are_asked_for_by_name_in_one_go() -> None:
    """One child for all of them; nobody is asked for nothing."""
    claims, asked = api(ok(document(ONE)), ok(document(TWO)))
    fetched = asyncio.run(claims.fetch([ONE, TWO]))
    assert fetched == {ONE: Claim(ONE, None, None), TWO: Claim(TWO, None, None)}
    assert asked == [PATH, "/apis/resource.k8s.io/v1/namespaces/team/resourceclaims/two"]
    assert asyncio.run(claims.fetch([])) == {}
    assert len(asked) == 2


GONE = {"message": 'resourceclaims "one" not found', "details": {"name": "one", "kind": "resourceclaims"}}
NOT_SERVED = {"message": "the server could not find the requested resource", "details": {}}


@pytest.mark.parametrize(
    ("answer", "fetched"),
    [
        (Answer(404, GONE, None), None),
        (
            Answer(404, NOT_SERVED, None),
            NotFetched(
                f"GET {PATH}: the API server answered 404 (the server could not find the requested resource): nothing "
                "of that name there; is the name right?"
            ),
        ),
        (Answer(None, None, "no route to host"), NotFetched("no route to host")),
        (
            ok({"metadata": {}}),
            NotFetched(
                f"GET {PATH}: the API server sent what is no claim: metadata.namespace: found nothing, expected a text"
            ),
        ),
    ],
)
def test_what_cannot_be_had_is_not_gone(answer: Answer, fetched: NotFetched | None) -> None:
    """Gone is what the API server says of a claim by its kind; all else may be there yet."""
    assert asyncio.run(api(answer)[0].fetch([ONE])) == {ONE: fetched}


def test_all_claims_come_by_their_uid() -> None:
    """One that cannot be read is there all the same: what is left out would count as gone."""
    broken = {"metadata": {"name": "two", "uid": "uid-2"}}
    claims, asked = api(ok({"items": [document(ONE), broken]}))
    assert asyncio.run(claims.fetch_all()) == {
        "uid-1": Claim(ONE, None, None),
        "uid-2": NotFetched("the API server sent what is no claim: metadata.namespace: found nothing, expected a text"),
    }
    assert asked == ["/apis/resource.k8s.io/v1/resourceclaims"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(None, None, "no answer"), "no answer"),
        (ok({"items": [{"metadata": {}}]}), "the API server sent what is no list of claims: "),
        (ok("text"), "the API server sent what is no list of claims: the document: found 'text', expected an object"),
    ],
)
def test_a_list_that_is_not_whole_is_none(answer: Answer, reason: str) -> None:
    """Nothing is taken for gone."""
    with pytest.raises(NotListed) as raised:
        asyncio.run(api(answer)[0].fetch_all())
    assert str(raised.value).startswith(reason)


def test_what_is_no_name_is_not_asked_for() -> None:
    """It would be a path of its own."""
    with pytest.raises(ValueError, match=r"name: found '\.\./x'"):
        get_claim(ClaimName("default", "../x", "uid-1"))
