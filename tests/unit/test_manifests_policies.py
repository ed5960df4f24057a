"""The admission policies name what the agents are and write: one name twice, told apart by nobody else."""

import re
from typing import Any

from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.node_labeller.labels import LABELS
from furiosa_npu.node_labeller.more_labels import TABLE
from furiosa_npu.watch.reports import CONDITION
from tests.unit.manifests import DEPLOYMENTS, objects
from tests.unit.test_manifests import STARTUP_TAINT

OBJECTS = objects(DEPLOYMENTS / "admission-policies.yaml")
POLICIES: dict[str, dict[str, Any]] = {
    one["metadata"]["name"]: one["spec"] for one in OBJECTS if one["kind"] == "ValidatingAdmissionPolicy"
}
NODES, SLICES, FEATURES = "furiosa-npu-nodes", "furiosa-npu-resource-slices", "furiosa-npu-node-features"
AGENTS = {
    one["metadata"]["name"]
    for file in ("node-labeller.yaml", "device-plugin.yaml", "dra-driver.yaml")
    for one in objects(DEPLOYMENTS / file)
    if one["kind"] == "ServiceAccount"
}


def accounts(policy: str) -> set[str]:
    """Which of the agents' a policy is about."""
    (condition,) = POLICIES[policy]["matchConditions"]
    found = re.search(r"matches\('(.*)'\)", condition["expression"])
    assert found is not None
    return {name for name in AGENTS if re.fullmatch(found[1], f"system:serviceaccount:kube-system:{name}")}


def _accounts_in(expression: str) -> str:
    found = re.search(r"matches\('(.*?)'\)", expression)
    assert found is not None
    return found[1]


def test_each_policy_is_about_the_accounts_that_may_write_its_objects() -> None:
    """By the names that the other manifests give them."""
    assert {policy: accounts(policy) for policy in POLICIES} == {
        NODES: AGENTS,
        SLICES: {"furiosa-npu-dra-driver"},
        FEATURES: {"furiosa-npu-labeller"},
    }


def test_each_policy_denies_and_fails_closed() -> None:
    """One without a binding would do nothing."""
    bindings = [one["spec"] for one in OBJECTS if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert bindings == [{"policyName": policy, "validationActions": ["Deny"]} for policy in POLICIES]
    assert {policy: spec["failurePolicy"] for policy, spec in POLICIES.items()} == dict.fromkeys(POLICIES, "Fail")


def test_they_name_what_the_agents_write() -> None:
    """The labeller's labels, the condition, and the driver."""
    labels, of_features = (
        one["expression"]
        for policy in (NODES, FEATURES)
        for one in POLICIES[policy]["variables"]
        if one["name"] == "ownLabels"
    )
    assert labels == of_features
    assert re.findall(r"'([^']*)'", labels) == [*LABELS, *(label.name for label in TABLE)]
    of_nodes, of_slices = (str(POLICIES[policy]["validations"]) for policy in (NODES, SLICES))
    assert set(re.findall(r"type == '(\w+)'", of_nodes)) == {CONDITION}
    (removed,) = [one["expression"] for one in POLICIES[NODES]["variables"] if one["name"] == "isOwnTaintRemoved"]
    assert re.findall(r"taint.key == '([^']*)'", removed) == [STARTUP_TAINT]
    assert {name for name in AGENTS if re.search(_accounts_in(removed), f"system:serviceaccount:x:{name}")} == {
        "furiosa-npu-plugin",
        "furiosa-npu-dra-driver",
    }
    assert set(re.findall(r"spec.driver == '(.*?)'", of_slices)) == {DRIVER}
