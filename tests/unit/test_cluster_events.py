"""Events, conditions and their requests, as values."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cluster.api import METADATA_ONLY, Answer, ApiRequest, Fate, fate, rfc3339, right
from furiosa_npu.cluster.condition import Condition, patch_node_condition
from furiosa_npu.cluster.events import Event, Record, Source, cut, event_name, patch_event, post_event
from furiosa_npu.cluster.node import get_node, is_node_name
from furiosa_npu.cluster.objects import Subject, get_pod, is_subject, the_node, the_pod, uid_of

NOON = 1769853600.9
"""2026-01-31T10:00:00Z and a bit"""


def test_an_event_about_a_node_stands_in_default_under_the_nodes_name_as_its_uid() -> None:
    """As the kubelet writes its own: `describe node` of 1.20 asks for that UID."""
    event = Event(the_node("warboy-node01"), "Warning", "NPUFailed", "npu0 failed")
    record = Record("warboy-node01.18a", 3, NOON, NOON + 60)
    request = post_event(event, record, "warboy-node01", Source("furiosa-npu-plugin", "warboy-node01"))
    assert request._replace(body=None) == ApiRequest(
        "POST", "/api/v1/namespaces/default/events", METADATA_ONLY, "application/json"
    )
    assert json.loads(request.body or "") == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "warboy-node01.18a", "namespace": "default"},
        "involvedObject": {"apiVersion": "v1", "kind": "Node", "name": "warboy-node01", "uid": "warboy-node01"},
        "type": "Warning",
        "reason": "NPUFailed",
        "message": "npu0 failed",
        "source": {"component": "furiosa-npu-plugin", "host": "warboy-node01"},
        "reportingComponent": "furiosa-npu-plugin",
        "reportingInstance": "warboy-node01",
        "firstTimestamp": "2026-01-31T10:00:00Z",
        "lastTimestamp": "2026-01-31T10:01:00Z",
        "count": 3,
    }


def test_an_event_about_a_pod_stands_in_its_namespace_with_its_uid() -> None:
    """`describe pod` finds it by all three."""
    event = Event(the_pod("team-a", "train-0"), "Normal", "NPUHealthy", "good now")
    request = post_event(event, Record("train-0.1", 1, NOON, NOON), "1f0c", Source("furiosa-npu-plugin", "n1"))
    body = json.loads(request.body or "")
    assert request.path == "/api/v1/namespaces/team-a/events"
    assert body["metadata"] == {"name": "train-0.1", "namespace": "team-a"}
    assert body["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "team-a",
        "name": "train-0",
        "uid": "1f0c",
    }


def test_a_patch_raises_the_count_and_the_last_time_alone() -> None:
    """RFC 7386 on the event made earlier."""
    assert patch_event(the_node("n1"), Record("n1.18a", 7, NOON, NOON + 3600)) == ApiRequest(
        "PATCH",
        "/api/v1/namespaces/default/events/n1.18a",
        METADATA_ONLY,
        "application/merge-patch+json",
        '{"count":7,"lastTimestamp":"2026-01-31T11:00:00Z"}',
    )


@pytest.mark.parametrize(("since", "transition"), [(None, {}), (NOON, {"lastTransitionTime": "2026-01-31T10:00:00Z"})])
def test_a_condition_is_merged_by_its_type(since: float | None, transition: dict[str, str]) -> None:
    """A strategic merge patch on the node's status; the time of its last change only where that is told."""
    condition = Condition("FuriosaNPUHealthy", "False", "NotAlive", "npu0 is dead")
    request = patch_node_condition("n1", condition, NOON + 1, since)
    assert request._replace(body=None) == ApiRequest(
        "PATCH", "/api/v1/nodes/n1/status", METADATA_ONLY, "application/strategic-merge-patch+json"
    )
    said = {"type": "FuriosaNPUHealthy", "status": "False", "reason": "NotAlive", "message": "npu0 is dead"}
    entry = said | {"lastHeartbeatTime": "2026-01-31T10:00:01Z"} | transition
    assert json.loads(request.body or "") == {"status": {"conditions": [entry]}}


def test_a_pods_uid_is_read_of_its_metadata() -> None:
    """Its specification and status are not asked for."""
    request = get_pod("team-a", "train-0")
    assert request == ApiRequest("GET", "/api/v1/namespaces/team-a/pods/train-0", METADATA_ONLY)
    assert uid_of({"metadata": {"uid": "1f0c"}}) == "1f0c"


@pytest.mark.parametrize("answer", [None, "text", {}, {"metadata": []}, {"metadata": {"uid": ""}}])
def test_an_answer_without_a_uid_is_an_error(answer: object) -> None:
    """What was found and what was expected."""
    with pytest.raises(ValueError, match=r"expected an object with metadata\.uid"):
        uid_of(answer)


@pytest.mark.parametrize(
    "subject",
    [the_node(""), the_node("A"), the_node("a/b"), the_pod("", "p"), the_pod("a.b", "p"), the_pod("a", "../x")],
)
def test_what_is_no_name_comes_into_no_path(subject: Subject) -> None:
    """Refused before a request is made of it."""
    assert not is_subject(subject)
    with pytest.raises(ValueError, match="expected a"):
        post_event(Event(subject, "Normal", "R", "m"), Record("x", 1, 0, 0), "u", Source("c", "h"))
    with pytest.raises(ValueError, match="expected a pod's"):
        get_pod(subject.namespace, subject.name)


@given(st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?", fullmatch=True), st.integers(0, 2**70))
def test_an_events_name_is_a_subdomain(name: str, number: int) -> None:
    """At most 253 characters, whatever the object's name is long."""
    if is_node_name(name):
        made = event_name(the_node(name), number)
        assert len(made) <= 253
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", made)


@given(st.text(max_size=1500))
def test_a_message_is_at_most_1024_bytes_and_the_beginning_of_what_was_said(message: str) -> None:
    """No character is halved; a short one stays as it is."""
    short = cut(message)
    assert len(short.encode()) <= 1024
    if short != message:
        assert len(message.encode("utf-8", "replace")) > 1024 or "?" in short
        assert message.encode("utf-8", "replace").startswith(short.removesuffix("...").encode())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, "later") for status in (None, 401, 408, 429, 500, 504)),
        *((status, "written") for status in (200, 201)),
        *((status, "refused") for status in (302, 403, 404, 409, 422)),
    ],
)
def test_what_becomes_of_a_write(status: int | None, expected: Fate) -> None:
    """A server in trouble, or a token that is renewed, is asked again; a refusal is one."""
    assert fate(Answer(status, None, None)) == expected


def test_the_right_to_a_part_of_an_object_is_named() -> None:
    """In RBAC's words, with the subresource."""
    requests = [
        patch_node_condition("n1", Condition("T", "True", "R", "m"), 0, None),
        patch_event(the_node("n1"), Record("n1.1", 1, 0, 0)),
        get_pod("a", "b"),
        get_node("n1"),
    ]
    assert [right(request) for request in requests] == ["patch nodes/status", "patch events", "get pods", "get nodes"]


def test_times_are_utc_to_the_second() -> None:
    """meta/v1 Time."""
    assert rfc3339(NOON) == "2026-01-31T10:00:00Z"
