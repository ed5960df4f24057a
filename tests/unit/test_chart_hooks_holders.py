"""Which pods hold NPUs, as the API server's objects tell it."""

from typing import Any

import pytest

from furiosa_npu.chart_hooks.holders import Holder, by_claims, by_limits, on_others_nodes, refusal, together

ALPHA, PLAIN = "alpha.furiosa.ai/npu", "furiosa.ai/npu"


def pod(name: str, *containers: dict[str, Any], first: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """On node n1; a container is its `resources`."""
    spec = {"nodeName": "n1", "containers": [{"resources": one} for one in containers]}
    if first:
        spec["initContainers"] = [{"resources": one} for one in first]
    return {"metadata": {"namespace": "default", "name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (pod("p", {"limits": {ALPHA: "1"}}), f"1 x {ALPHA}"),
        (pod("p", {"limits": {ALPHA: "1"}}, {"limits": {ALPHA: 2, PLAIN: "1"}}), f"3 x {ALPHA}, 1 x {PLAIN}"),
        (pod("p", {"requests": {PLAIN: "2"}}), f"2 x {PLAIN}"),
        (pod("p", {"limits": {PLAIN: "1"}}, first=({"limits": {PLAIN: "3"}},)), f"3 x {PLAIN}"),
        (pod("p", {"limits": {PLAIN: "1k"}}), f"1 x {PLAIN}"),
        (pod("p", {"limits": {PLAIN: "0", "cpu": "1"}}, {}), None),
        (pod("p", {"limits": None}), None),
        ({"metadata": {"namespace": "default", "name": "p"}, "spec": {"containers": None}}, None),
    ],
)
def test_a_pod_holds_what_its_containers_ask_for(found: dict[str, Any], what: str | None) -> None:
    """App containers together, an init container alone; what cannot be reckoned counts as one."""
    assert by_limits([found]) == ((Holder("default", "p", "n1", what),) if what else ())


def claim(driver: str = "npu.furiosa.ai", reserved: object = None) -> dict[str, Any]:
    results = [{"driver": driver, "pool": "n2", "device": "npu-1"}, {"driver": "gpu.example.com", "pool": "n3"}]
    status = {"allocation": {"devices": {"results": results}}, "reservedFor": reserved}
    return {"metadata": {"namespace": "ml", "name": "c"}, "status": status}


def test_a_claim_is_held_by_the_pods_that_it_is_reserved_for() -> None:
    """Of our driver; a claim that is allocated and reserved for nobody is held by nobody."""
    users = [{"resource": "pods", "name": "a"}, {"resource": "jobs", "name": "b"}]
    assert by_claims([claim(reserved=users)]) == (Holder("ml", "a", "n2", "claim c"),)
    assert by_claims([claim("other.example.com", users), claim(), {"metadata": {"name": "x"}}]) == ()


def test_a_pod_that_holds_by_limits_and_by_the_claim_made_for_them_is_named_once() -> None:
    """By its limits, which its user knows."""
    limits = (Holder("ml", "a", "n1", "1 x furiosa.ai/npu"),)
    claims = (Holder("ml", "a", "n1", "claim a-x7"), Holder("default", "b", "n2", "claim c"))
    assert together(limits, claims) == (claims[1], limits[0])


def labelled(name: str, family: str) -> dict[str, Any]:
    """A node."""
    return {"metadata": {"name": name, "labels": {"alpha.furiosa.ai/npu.family": family}}}


def test_pods_on_nodes_of_another_family_are_told_by_the_nodes_label() -> None:
    """By which the driver goes there; where that is not to be told, it may have been there."""
    nodes = [labelled("n1", "warboy"), labelled("n2", "renegade"), {"metadata": {"name": "n3"}}]
    pods = [Holder("ml", f"p{number}", f"n{number}", "claim c") for number in range(1, 5)]
    assert on_others_nodes(pods, nodes, "renegade") == (pods[0], *pods[2:])


def test_a_refusal_names_the_pods_and_what_to_do() -> None:
    """None where there is nobody to wait for."""
    one, two = Holder("default", "a", "n1", "claim c"), Holder("ml", "b", "n2", "2 x furiosa.ai/npu")
    assert refusal([], "Wait.") is None
    assert refusal([one], "Wait.") == "1 pod holds NPUs, nothing was changed: default/a on n1: claim c. Wait."
    assert refusal([one, two], "Wait.") == (
        "2 pods hold NPUs, nothing was changed: default/a on n1: claim c; ml/b on n2: 2 x furiosa.ai/npu. Wait."
    )
