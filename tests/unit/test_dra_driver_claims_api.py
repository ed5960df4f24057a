"""Claims fetched from the API server: what each answer of it means."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.dra_driver.claim import Claim, ClaimName, NotFetched
from furiosa_npu.dra_driver.claims_api import ClaimsApi, NotListed, get_claim

ONE, TWO = ClaimName("default", "one", "uid-1"), ClaimName("team", "two", "uid-2")
ALL = "/apis/resource.k8s.io/v1/resourceclaims?limit=200"
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


def test_a_configuration_that_is_wrong_is_its_users_fault() -> None:
    """The key is named; the API server sent what it was given."""
    parameters = {"apiVersion": "npu.furiosa.ai/v1alpha1", "kind": "NpuConfig", "peform": "single"}
    config = {"source": "FromClaim", "requests": [], "opaque": {"driver": "npu.furiosa.ai", "parameters": parameters}}
    wrong = document(ONE)
    wrong["status"] = {"allocation": {"devices": {"results": [], "config": [config]}}}
    (found,) = asyncio.run(api(ok(wrong))[0].fetch([ONE])).values()
    assert isinstance(found, NotFetched)
    assert found.reason.startswith("its NpuConfig is not taken: status.allocation.devices.config[0].opaque.parameters")
    assert "peform" in found.reason


def test_all_claims_come_by_their_uid() -> None:
    """One that cannot be read is there all the same: what is left out would count as gone."""
    broken = {"metadata": {"name": "two", "uid": "uid-2"}}
    claims, asked = api(ok({"items": [document(ONE), broken]}))
    assert asyncio.run(claims.fetch_all()) == {
        "uid-1": Claim(ONE, None, None),
        "uid-2": NotFetched("the API server sent what is no claim: metadata.namespace: found nothing, expected a text"),
    }
    assert asked == [ALL]


def test_all_claims_of_a_large_cluster_come_in_parts() -> None:
    """Whole they would be more than an answer may be, or than a container has memory."""
    pages = [
        ok({"metadata": {"continue": "eyJ2-_"}, "items": [document(ONE)]}),
        ok({"metadata": {}, "items": [document(TWO)]}),
    ]
    asked: list[str] = []

    async def ask(requests: Sequence[ApiRequest]) -> tuple[Answer, ...]:
        asked.extend(request.path for request in requests)
        return (pages.pop(0),)

    claims = asyncio.run(ClaimsApi(ask).fetch_all())
    assert claims == {"uid-1": Claim(ONE, None, None), "uid-2": Claim(TWO, None, None)}
    assert asked == [ALL, f"{ALL}&continue=eyJ2-_"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(None, None, "no answer"), "no answer"),
        (ok({"items": [{"metadata": {}}]}), "the API server sent what is no list of claims: "),
        (
            ok({"metadata": {"continue": "a&b"}, "items": []}),
            "the API server sent what is no list of claims: metadata.continue: found 'a&b', expected ",
        ),
        (ok("text"), "the API server sent what is no list of claims: the document: found 'text', expected an object"),
    ],
)
def test_a_list_that_is_not_whole_is_none(answer: Answer, reason: str) -> None:
    """Nothing is taken for gone."""
    with pytest.raises(NotListed) as raised:
        asyncio.run(api(answer)[0].fetch_all())
    assert str(raised.value).startswith(reason)


def test_for_whom_a_claim_is_reserved_is_known_until_it_is_unprepared() -> None:
    """Of the others that come and go in months nothing is kept."""
    consumers = [{"resource": "pods", "name": "train-0", "uid": "9f"}]
    reserved = [document(named) | {"status": {"reservedFor": consumers}} for named in (ONE, TWO)]
    claims, _ = api(*map(ok, reserved))
    asyncio.run(claims.fetch([ONE, TWO]))
    assert claims.pods == {"uid-1": ("pods train-0",), "uid-2": ("pods train-0",)}
    for _ in range(2):
        claims.forget(ONE)
        assert claims.pods == {"uid-2": ("pods train-0",)}


def test_what_is_no_name_is_not_asked_for() -> None:
    """It would be a path of its own."""
    with pytest.raises(ValueError, match=r"name: found '\.\./x'"):
        get_claim(ClaimName("default", "../x", "uid-1"))
