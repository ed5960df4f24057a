"""The request that takes a taint away, and no other."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cluster.api import ApiRequest
from furiosa_npu.cluster.taints import Taint, get_taints, is_taint_key, remove_taints, taints_of

KEY = "npu.furiosa.ai/not-ready"
OURS: Taint = {"key": KEY, "effect": "NoSchedule"}
OTHER: Taint = {"key": "example.com/busy", "value": "yes", "effect": "NoExecute", "timeAdded": "2026-01-31T09:30:00Z"}


class Refused(Exception):
    """A JSON patch that is refused whole."""


def apply(patch: ApiRequest, taints: list[Taint]) -> list[Taint]:
    """As RFC 6902 has it, of tests and removals alone."""
    now = list(taints)
    for operation in json.loads(patch.body or ""):
        place = int(operation["path"].removeprefix("/spec/taints/"))
        if place >= len(now) or (operation["op"] == "test" and now[place] != operation["value"]):
            raise Refused
        if operation["op"] == "remove":
            del now[place]
    return now


def test_one_taint_goes_from_its_place() -> None:
    """The whole request: nothing but what is tested is removed."""
    assert remove_taints("n1", (OTHER, OURS), KEY) == ApiRequest(
        "PATCH",
        "/api/v1/nodes/n1",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
        "application/json-patch+json",
        '[{"op":"test","path":"/spec/taints/1","value":{"effect":"NoSchedule","key":"npu.furiosa.ai/not-ready"}},'
        '{"op":"remove","path":"/spec/taints/1"}]',
    )


def test_a_node_without_it_is_left_alone() -> None:
    """No request; a key that begins alike is another."""
    assert remove_taints("n1", (OTHER, {"key": f"{KEY}-yet", "effect": "NoSchedule"}), KEY) is None
    assert taints_of(None) == ()


taints = st.lists(
    st.builds(
        lambda key, effect: {"key": key, "effect": effect},
        st.sampled_from([KEY, "a.io/x", "b.io/y"]),
        st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"]),
    ),
    max_size=6,
)


@given(taints, taints)
def test_whatever_is_written_meanwhile_no_other_taint_is_touched(read: list[Taint], now: list[Taint]) -> None:
    """Either all that was read of ours goes and nothing else, or the API server refuses and the node is read again."""
    patch = remove_taints("n1", read, KEY)
    others = [taint for taint in now if taint["key"] != KEY]
    if patch is None:
        assert [taint for taint in read if taint["key"] == KEY] == []
        return
    try:
        left = apply(patch, now)
    except Refused:
        assert now != read
        return
    assert [taint for taint in left if taint["key"] != KEY] == others
    assert len(now) - len(left) == sum(taint["key"] == KEY for taint in read)


def test_what_is_no_list_of_taints_is_not_believed() -> None:
    """The answer is another's."""
    for body in ("text", [1], {"a": 1}):
        with pytest.raises(ValueError, match=r"spec\.taints: found .* expected a list of taints"):
            taints_of(body)


def test_the_read_asks_for_the_taints_alone() -> None:
    """A node can be 100 KiB."""
    assert get_taints("n1") == ApiRequest("GET", "/api/v1/nodes/n1", only=("spec", "taints"))


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        (KEY, True),
        ("example.com/a_b.c", True),
        ("not-ready", False),
        ("node.kubernetes.io/not-ready", False),
        ("kubernetes.io/x", False),
        ("startup-taint.cluster-autoscaler.kubernetes.io/npu", True),
        ("notkubernetes.io/x", True),
        ("npu.furiosa.ai/", False),
        ("/x", False),
        ("Npu.furiosa.ai/x", False),
        ("npu.furiosa.ai/a/b", False),
        ("", False),
    ],
)
def test_a_key_is_a_qualified_name_and_none_of_kubernetes(key: str, *, is_one: bool) -> None:
    """What the kubelet and the node controller set is theirs to remove."""
    assert is_taint_key(key) == is_one
