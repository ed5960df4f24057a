"""ResourceSlices as JSON, compared whole and read back, and the requests about them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cluster.api import ApiRequest
from furiosa_npu.cluster.quantity import format_quantity, parse_quantity
from furiosa_npu.cluster.resource_slice_json import parse, render
from furiosa_npu.cluster.resource_slice_requests import (
    create_slice,
    delete_slice,
    list_slices,
    slices_of,
    update_slice,
)
from furiosa_npu.cluster.resource_slices import (
    Content,
    Device,
    Owner,
    PoolState,
    Slice,
    Taint,
    Version,
    with_known_times,
    without_times,
)

OWNER = Owner("npu.furiosa.ai", "worker-1", "f3b0")
POOL = PoolState(7, 3)
TAINT = Taint("npu.furiosa.ai/failed", "not-alive", "NoSchedule", "2026-01-31T09:30:00Z")
DEVICE = Device(
    "npu-a-pe0",
    {"family": "warboy", "index": 0, "ready": True, "driverVersion": Version("1.9.2+3def9c2")},
    {"pe": 1, "memory": 6_375_342_080},
    {"npu-a": {"pe0": 1}},
    (TAINT,),
)
COUNTERS = Content(counter_sets={"npu-a": {"pe0": 1, "pe1": 1}})

WORDS = st.text("abcxyz0189-", min_size=1, max_size=8)
COUNTERS_OF = st.dictionaries(WORDS, st.integers(0, 2**60), min_size=1, max_size=3)
TAINTS = st.builds(
    Taint,
    WORDS,
    st.one_of(st.just(""), WORDS),
    st.sampled_from(["NoSchedule", "NoExecute", "None"]),
    st.sampled_from([None, "2026-01-31T09:30:00Z"]),
)
DEVICES = st.builds(
    Device,
    WORDS,
    st.dictionaries(
        WORDS, st.one_of(WORDS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.builds(Version, WORDS))
    ),
    COUNTERS_OF,
    st.dictionaries(WORDS, COUNTERS_OF, max_size=2),
    st.lists(TAINTS, max_size=2).map(tuple),
)
CONTENTS = st.one_of(
    st.builds(Content, st.lists(DEVICES, max_size=3).map(tuple), st.just({})),
    st.builds(Content, st.just(()), st.dictionaries(WORDS, COUNTERS_OF, min_size=1, max_size=3)),
)


def stored(content: Content, **metadata: object) -> dict[str, Any]:
    """As the API server sends what was written."""
    body: dict[str, Any] = json.loads(json.dumps(render("s", OWNER, POOL, content, None)))
    body["metadata"] |= {"uid": "u1", "resourceVersion": "41", "generation": 2, "managedFields": [{}]} | metadata
    return body


def test_a_slice_of_devices_is_written_so() -> None:
    """Every kind of attribute, a capacity, the counters that it takes and a taint."""
    assert render("s", OWNER, POOL, Content((DEVICE,)), "41") == {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {
            "name": "s",
            "resourceVersion": "41",
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": "worker-1", "uid": "f3b0", "controller": True}
            ],
        },
        "spec": {
            "driver": "npu.furiosa.ai",
            "nodeName": "worker-1",
            "pool": {"name": "worker-1", "generation": 7, "resourceSliceCount": 3},
            "devices": [
                {
                    "name": "npu-a-pe0",
                    "attributes": {
                        "family": {"string": "warboy"},
                        "index": {"int": 0},
                        "ready": {"bool": True},
                        "driverVersion": {"version": "1.9.2+3def9c2"},
                    },
                    "capacity": {"pe": {"value": "1"}, "memory": {"value": "6080Mi"}},
                    "consumesCounters": [{"counterSet": "npu-a", "counters": {"pe0": {"value": "1"}}}],
                    "taints": [
                        {
                            "key": "npu.furiosa.ai/failed",
                            "value": "not-alive",
                            "effect": "NoSchedule",
                            "timeAdded": "2026-01-31T09:30:00Z",
                        }
                    ],
                }
            ],
        },
    }


def test_a_slice_of_counters_has_no_devices() -> None:
    """The API takes one or the other; what a device has none of is not said."""
    spec = render("s", OWNER, POOL, COUNTERS, None)["spec"]
    assert spec["sharedCounters"] == [{"name": "npu-a", "counters": {"pe0": {"value": "1"}, "pe1": {"value": "1"}}}]
    assert "devices" not in spec
    (plain,) = render("s", OWNER, POOL, Content((Device("d", {}, {}),)), None)["spec"]["devices"]
    assert plain == {"name": "d", "attributes": {}, "capacity": {}}


@given(CONTENTS)
def test_what_is_written_is_read_back_the_same(content: Content) -> None:
    """Through JSON, with what the API server adds."""
    assert parse(stored(content)) == Slice("s", "u1", "41", OWNER, POOL, content)


def test_fields_that_are_not_known_make_no_difference() -> None:
    """Defaults of newer API servers, and fields of theirs."""
    body = stored(Content((DEVICE,)))
    body["spec"] |= {"allNodes": None, "skipNodeOperations": []}
    body["spec"]["devices"][0] |= {"bindsToNode": False, "nodeName": None}
    body["spec"]["devices"][0]["consumesCounters"][0]["compatibilityGroups"] = []
    body["spec"]["devices"][0]["capacity"]["memory"] = {"value": "6375342080", "requestPolicy": None}
    assert parse(body).content == Content((DEVICE,))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("devices", 0, "capacity"), {"pe": {"value": "1500m"}}),
        (("devices", 0, "attributes"), {"a": {"strings": ["x"]}}),
        (("devices", 0, "attributes"), {"a": {}}),
        (("devices",), [7]),
        (("devices",), 7),
        (("sharedCounters",), [{"name": "a"}]),
    ],
)
def test_a_slice_that_is_not_as_ours_are_can_be_replaced_all_the_same(path: tuple[Any, ...], value: object) -> None:
    """Another version of the driver wrote it; its generation counts."""
    body = stored(Content((DEVICE,)))
    place = body["spec"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert parse(body) == Slice("s", "u1", "41", OWNER, POOL, None)


def test_a_slice_of_another_pool_or_of_no_node_has_no_owner() -> None:
    """Neither is as it should; both are the driver's."""
    other, nobodys = stored(COUNTERS), stored(COUNTERS, ownerReferences=None)
    other["spec"]["pool"]["name"] = "elsewhere"
    assert [parse(body).owner for body in (other, nobodys)] == [None, None]
    del nobodys["spec"]["pool"]
    assert parse(nobodys).pool == PoolState(0, 0)


@pytest.mark.parametrize("answer", [None, "gone", [], {}, {"metadata": {}}, {"metadata": {"name": "s", "uid": "u"}}])
def test_what_is_no_object_is_said(answer: object) -> None:
    """A proxy in between may answer anything."""
    with pytest.raises(ValueError, match=r"the API server's answer: found .*, expected a ResourceSlice"):
        parse(answer)


def test_a_list_is_read_whole() -> None:
    """Its items have neither kind nor version; of an empty one the API server may leave them out."""
    item = stored(COUNTERS)
    del item["kind"], item["apiVersion"]
    assert slices_of({"metadata": {}, "items": [item]}) == (Slice("s", "u1", "41", OWNER, POOL, COUNTERS),)
    assert slices_of({"metadata": {}, "items": None}) == slices_of({"metadata": {}}) == ()
    answers: list[object] = ["gone", {"items": []}, {"metadata": {}, "items": 7}]
    for answer in answers:
        with pytest.raises(ValueError, match="expected a list of resourceslices"):
            slices_of(answer)


def test_the_requests_name_slices_versions_and_conditions() -> None:
    """What somebody else changed is neither replaced nor deleted."""
    before = Slice("s.x", "u1", "41", OWNER, POOL, COUNTERS)
    path = "/apis/resource.k8s.io/v1/resourceslices"
    selector = "fieldSelector=spec.nodeName%3Dworker-1%2Cspec.driver%3Dnpu.furiosa.ai"
    assert list_slices("npu.furiosa.ai", "worker-1") == ApiRequest("GET", f"{path}?{selector}")
    create, update, delete = (
        create_slice("s.x", OWNER, POOL, COUNTERS),
        update_slice(before, OWNER, POOL, COUNTERS),
        delete_slice(before),
    )
    assert [(request.method, request.path) for request in (create, update, delete)] == [
        ("POST", path),
        ("PUT", f"{path}/s.x"),
        ("DELETE", f"{path}/s.x"),
    ]
    bodies = [json.loads(request.body or "") for request in (create, update, delete)]
    assert bodies == [
        render("s.x", OWNER, POOL, COUNTERS, None),
        render("s.x", OWNER, POOL, COUNTERS, "41"),
        {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u1", "resourceVersion": "41"}},
    ]


@pytest.mark.parametrize("name", ["", "a/b", "a?b", "A", "a b", "..", "x" * 254])
def test_what_is_no_name_gets_into_no_path(name: str) -> None:
    """Whoever wrote it."""
    with pytest.raises(ValueError, match="expected a name"):
        delete_slice(Slice(name, "u1", "41", OWNER, POOL, COUNTERS))
    with pytest.raises(ValueError, match="expected a name"):
        list_slices("npu.furiosa.ai", name)


def test_when_a_taint_was_added_makes_no_difference_and_is_kept() -> None:
    """Where device, key, value and effect are the same; a new one has its own time."""
    now = Content((DEVICE._replace(taints=(TAINT._replace(time_added="2026-02-01T00:00:00Z"),)),))
    assert without_times(now) == without_times(Content((DEVICE,)))
    assert with_known_times(now, Content((DEVICE,))) == Content((DEVICE,))
    for changed in (DEVICE._replace(name="b"), DEVICE._replace(taints=(TAINT._replace(effect="NoExecute"),))):
        assert with_known_times(now, Content((changed,))) == now
    assert with_known_times(now, None) == now


@given(st.integers(0, 2**63 - 1))
def test_a_quantity_is_written_and_read(number: int) -> None:
    """With the largest binary suffix that leaves a whole number."""
    assert parse_quantity(format_quantity(number)) == number


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("1", 1), ("2k", 2000), ("3Ki", 3072), ("6080Mi", 6_375_342_080), ("1E", 10**18)]
)
def test_quantities_are_read_as_the_api_server_writes_them(text: str, number: int) -> None:
    """Decimal and binary suffixes."""
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "1.5", "1500m", "-1", "1e3", "Mi", "1KiMi", "1 Mi", "١", None, 3])
def test_other_quantities_are_not_guessed_at(text: object) -> None:
    """None of ours is a fraction."""
    with pytest.raises(ValueError, match="expected a whole quantity"):
        parse_quantity(text)
