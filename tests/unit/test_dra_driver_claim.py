"""ResourceClaims of the API server: what of them is ours, and what is said of those that are not as they should be."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.dra_driver.claim import Claim, ClaimName, Configuration, Result, parse_claim
from furiosa_npu.dra_driver.fields import FieldError
from furiosa_npu.dra_driver.npu_config import NpuConfig
from tests.unit.claims import DRIVER, POOL, UIDS, claim, claim_document, config, result


def test_what_our_driver_gave_is_taken_and_what_another_gave_is_not() -> None:
    """One claim can hold devices of several drivers, and words for each."""
    document = claim_document(
        "train",
        [
            result("npu-w0", "npu/large", adminAccess=True, shareID="5e"),
            result("gpu-0") | {"driver": "gpu.example.com"},
            result("npu-w1"),
        ],
        [
            {"source": "FromClaim", "opaque": {"driver": "gpu.example.com", "parameters": {"any": "thing"}}},
            config({"peForm": "single"}, "npu"),
        ],
    )
    document["metadata"]["deletionTimestamp"] = "2026-01-31T09:30:00Z"
    assert parse_claim(document, DRIVER) == Claim(
        ClaimName("default", "train", UIDS[0]),
        "2026-01-31T09:30:00Z",
        (Result("npu/large", POOL, "npu-w0", True, "5e"), Result("npu", POOL, "npu-w1", False, None)),
        (Configuration(("npu",), NpuConfig("single")),),
        ("pods train-0",),
    )


def test_a_claim_without_allocation_is_none_that_has_no_devices() -> None:
    """Not allocated, and allocated by other drivers alone, are two things."""
    document = claim_document("train", [result("gpu-0") | {"driver": "gpu.example.com"}])
    assert parse_claim(document, DRIVER).results == ()
    del document["status"]
    assert parse_claim(document, DRIVER).results is None


def test_an_item_of_a_list_is_a_claim() -> None:
    """The API server leaves apiVersion and kind out there."""
    document = claim_document("train", [result("npu-w0")])
    listed = {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}
    assert parse_claim(listed, DRIVER) == parse_claim(document, DRIVER)


@pytest.mark.parametrize(
    ("configs", "expected"),
    [
        ([], None),
        ([config({"peForm": "single"})], "single"),
        ([config({"peForm": "single"}, "other")], None),
        ([config({"peForm": "single"}, "npu")], "single"),
        ([config({"peForm": "single"}, "npu/large")], "single"),
        ([config({"peForm": "single"}, "npu/small")], None),
        ([config({"peForm": "single"}), config({"peForm": "fused"}, "npu")], "fused"),
        ([config({"peForm": "single"}), config({"peForm": "fused"}, source="FromClass")], "single"),
        ([config({"peForm": "single"}), config({})], None),
    ],
)
def test_the_last_configuration_for_a_request_counts_and_a_claims_beats_its_classs(
    configs: list[dict[str, Any]], expected: str | None
) -> None:
    """Alone: what an earlier one said is not mixed in."""
    of = claim("train", [result("npu-w0", "npu/large")], configs)
    assert of.results is not None
    assert of.config_of(of.results[0]) == NpuConfig(expected)  # type: ignore[arg-type]


def _without(path: str) -> dict[str, Any]:
    document = claim_document("train", [result("npu-w0")], [config({})])
    holder: Any = document
    *keys, last = path.split(".")
    for key in keys:
        holder = holder[int(key) if key.isdigit() else key]
    del holder[last]
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "the document: found [], expected an object"),
        (
            claim_document("t", []) | {"apiVersion": "resource.k8s.io/v1beta2"},
            "apiVersion: found 'resource.k8s.io/v1beta2', expected resource.k8s.io/v1",
        ),
        (claim_document("t", []) | {"kind": "Pod"}, "kind: found 'Pod', expected ResourceClaim"),
        (_without("metadata"), "metadata: found nothing, expected an object"),
        (_without("metadata.uid"), "metadata.uid: found nothing, expected a text"),
        (_without("status.allocation.devices.results.0.pool"), "results[0].pool: found nothing, expected a text"),
        (_without("status.allocation.devices.config.0.source"), "config[0].source: found nothing, expected a text"),
        (claim_document("t", [result("d", adminAccess="yes")]), "adminAccess: found 'yes', expected true or false"),
        (claim_document("t", [result("d", "a/b/c")]), "results[0].request: found 'a/b/c', expected a request's name"),
        (claim_document("t", [result("d", "A=1")]), "results[0].request: found 'A=1', expected a request's name"),
        (claim_document("t", [], uid="../../etc"), "metadata.uid: found '../../etc', expected 2 to 64 letters"),
        (claim_document("t/../u", []), "metadata.name: found 't/../u', expected up to 253"),
        (
            claim_document("t", [], [config({"peFrom": "single"})]),
            "parameters.peFrom: unknown key, expected apiVersion",
        ),
        (
            claim_document("t", [], [config({}, source="FromPod")]),
            "config[0].source: found 'FromPod', expected FromClass or FromClaim",
        ),
    ],
)
def test_what_is_missing_or_of_the_wrong_kind_is_named(document: object, said: str) -> None:
    """With its path, what was found and what was expected."""
    with pytest.raises(FieldError) as raised:
        parse_claim(document, DRIVER)
    assert said in str(raised.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
def test_whatever_stands_in_a_field_it_is_read_or_named(data: st.DataObject) -> None:
    """No other error comes out of a claim, whatever its author or the API server put where."""
    document: Any = claim_document("train", [result("npu-w0")], [config({"environment": {"FURIOSA_A": "1"}})])
    holder = document
    while True:
        key = data.draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
        if not isinstance(holder[key], dict | list) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(JSON)
    with suppress(FieldError):
        assert parse_claim(document, DRIVER).named.fault is None


def test_a_claim_may_have_any_name_that_the_api_server_takes() -> None:
    """None of its labels is bounded there, unlike those of names that are a label alone."""
    named = ClaimName("default", "a" * 253, UIDS[0])
    assert (named.fault, parse_claim(claim_document(named.name, []), DRIVER).named) == (None, named)
