"""Requests, answers and retries of the API server's room, as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cluster.api import Answer, ApiRequest, complaint, is_configured
from furiosa_npu.cluster.node import (
    NodeInfo,
    get_node,
    get_node_info,
    is_label_value,
    is_node_name,
    labels_of,
    node_info_of,
    patch_node_labels,
)
from furiosa_npu.cluster.request import part
from furiosa_npu.cluster.retry import LONGEST_SECONDS, delay_seconds


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (401, "401 (no): it does not accept our token or certificate"),
        (403, "403 (no): the right to get nodes is missing (ClusterRole and its binding)"),
        (404, "404 (no): nothing of that name there; is the name right?"),
        (429, "429 (no): it has trouble of its own"),
        (503, "503 (no): it has trouble of its own"),
        (302, "302 (no), expected 200"),
    ],
)
def test_a_complaint_says_whose_fault_it_is(status: int, end: str) -> None:
    """The request, the server's own words, and what to look at."""
    said = complaint(get_node("n"), Answer(status, {"message": "no"}, None))
    assert said == "GET /api/v1/nodes/n: the API server answered " + end


def test_what_an_admission_policy_forbids_is_no_missing_right() -> None:
    """The server answers 403 to both."""
    said = "nodes \"n\" is forbidden: ValidatingAdmissionPolicy 'furiosa-npu-nodes' with binding 'b' denied request: no"
    told = complaint(get_node("n"), Answer(403, {"message": said}, None))
    assert told == f"GET /api/v1/nodes/n: the API server answered 403 ({said}): an admission policy forbids it"


def test_no_complaint_about_success() -> None:
    """Any 2xx did the work."""
    assert [complaint(get_node("n"), Answer(status, {}, None)) for status in (200, 201, 299)] == [None] * 3


def test_the_missing_right_is_named_for_namespaced_and_grouped_resources() -> None:
    """RBAC's verb and resource: what is read without a name is listed."""
    slices = "/apis/resource.k8s.io/v1/resourceslices"
    requests = {
        "create events": ApiRequest("POST", "/api/v1/namespaces/x/events"),
        "get pods": ApiRequest("GET", "/api/v1/namespaces/x/pods/p"),
        "list pods": ApiRequest("GET", "/api/v1/namespaces/x/pods"),
        "delete resourceslices": ApiRequest("DELETE", f"{slices}/a?b"),
        "list resourceslices": ApiRequest("GET", f"{slices}?fieldSelector=spec.driver%3Dx"),
        "get resourceslices": ApiRequest("GET", f"{slices}/a"),
    }
    for right, request in requests.items():
        assert f"the right to {right} is missing" in (complaint(request, Answer(403, None, None)) or "")


@given(st.text(), st.text(), st.integers() | st.none(), st.none() | st.text() | st.dictionaries(st.text(), st.text()))
def test_any_answer_gives_a_complaint_or_none(method: str, path: str, status: int | None, body: object) -> None:
    """Nothing that a server sends breaks the explanation."""
    said = complaint(ApiRequest(method, path), Answer(status, body, None))
    assert (said is None) == (status is not None and 200 <= status < 300)


def test_an_api_server_is_configured_in_a_pod_or_by_kubeconfig() -> None:
    """Otherwise there is nobody to ask."""
    assert is_configured(None, {"KUBERNETES_SERVICE_HOST": "10.96.0.1"})
    assert is_configured("/root/.kube/config", {})
    assert not is_configured(None, {"KUBERNETES_SERVICE_HOST": ""})


@pytest.mark.parametrize("name", ["n", "warboy-node01", "10.0.0.1", "a" * 63, "a" * 253, "a.b-c.d"])
def test_node_names_are_accepted(name: str) -> None:
    """RFC 1123 subdomains."""
    assert is_node_name(name)


@pytest.mark.parametrize(
    "name", ["", "A", "a/b", "..", "a..b", "-a", "a-", "a_b", "a" * 254, "a.".join("b" * 130), "é"]
)
def test_what_is_no_node_name_never_reaches_a_path(name: str) -> None:
    """A name is not able to name another resource."""
    assert not is_node_name(name)
    with pytest.raises(ValueError, match="expected a node's name"):
        get_node(name)


@pytest.mark.parametrize(
    ("value", "valid"),
    [(value, True) for value in ("silicon", "B0", "a_b.c-d", "a" * 63)]
    + [(value, False) for value in ("", "-a", "a.", "a b", "a" * 64, "é")],
)
def test_label_values_are_checked_as_the_api_server_does(value: str, valid: bool) -> None:
    """So that a wrong option is refused at start, not by the server for ever."""
    assert is_label_value(value) is valid


def test_a_patch_is_one_line_of_merge_patch_json() -> None:
    """A value sets, None removes."""
    request = patch_node_labels("n1", {"b": None, "a": "1"})
    assert (request.method, request.path, request.content_type, request.body) == (
        "PATCH",
        "/api/v1/nodes/n1",
        "application/merge-patch+json",
        '{"metadata":{"labels":{"a":"1","b":null}}}',
    )


def test_labels_are_read_from_a_node() -> None:
    """A node without any has none."""
    assert labels_of({"metadata": {"labels": {"a": "b"}}}) == {"a": "b"}
    assert labels_of({"metadata": {}}) == {}


@pytest.mark.parametrize("body", [None, [], "text", {}, {"metadata": None}, {"metadata": {"labels": [1]}}])
def test_what_is_no_node_is_refused(body: object) -> None:
    """Nothing is invented from an odd answer."""
    with pytest.raises(ValueError, match="the API server's answer"):
        labels_of(body)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_retries_come_later_each_time_and_never_too_late(failures: int, random: float) -> None:
    """Between half the bound and the bound, which doubles up to its end."""
    bound = min(LONGEST_SECONDS, 2.0 ** (failures - 1)) if failures < 20 else LONGEST_SECONDS
    assert bound / 2 <= delay_seconds(failures, random) <= bound


def test_of_a_node_what_runs_on_it_is_read_alone() -> None:
    """The child passes on `status.nodeInfo` of an object that can have 100 KiB."""
    request = get_node_info("n1")
    assert request == ApiRequest("GET", "/api/v1/nodes/n1", only=("status", "nodeInfo"))
    told = {"kubeletVersion": "v1.31.4", "containerRuntimeVersion": "containerd://2.0.1", "osImage": "Debian"}
    node = {"metadata": {"name": "n1"}, "status": {"nodeInfo": told, "images": ["large"]}}
    assert part(node, request.only) == told
    assert node_info_of(told) == NodeInfo("v1.31.4", "containerd://2.0.1")


@pytest.mark.parametrize("body", [None, "text", {}, {"status": None}, {"status": {"nodeInfo": None}}, {"status": []}])
def test_an_answer_without_that_part_is_named(body: object) -> None:
    """What came in its place is said; nothing is guessed."""
    with pytest.raises(ValueError, match=r"status\.nodeInfo: found .*, expected an object with kubeletVersion and"):
        node_info_of(part(body, get_node_info("n1").only))


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_part_of_an_answer_is_a_nodes_info_or_named(body: object) -> None:
    """No other exception."""
    try:
        told = node_info_of(part(body, ("status",)))
    except ValueError:
        return
    assert all(isinstance(version, str) and version for version in told)
