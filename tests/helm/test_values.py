"""Which values the chart takes: what it refuses, and in which words, before anything is sent to a cluster."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest
import yaml

from furiosa_npu.watch.options import CARD_OPTIONS
from tests.cluster.commands import CommandFailed
from tests.helm.rendering import CHART, NEWEST, REPOSITORY, template


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--kube-version=1.20.2", "--set=plane=dra"], "this cluster is v1.20.2: set plane to auto or device-plugin"),
        ([*NEWEST, "--set=dra.retire=true"], "dra.retire: true goes with plane: device-plugin"),
        (["--kube-version=1.20.2", "--set=admissionPolicies=always"], "set admissionPolicies to auto or never"),
        (
            ["--kube-version=1.20.2", "--set=plane=device-plugin,dra.retire=true"],
            "this cluster is v1.20.2: there is no DRA driver to retire, set dra.retire to false",
        ),
        (
            [*NEWEST, "--set=health.probationSeconds=20,health.probationLongestSeconds=10"],
            "health.probationSeconds: 20 is more than health.probationLongestSeconds, 10",
        ),
        (
            [*NEWEST, "--set=health.probationSeconds=301"],
            "health.probationSeconds: 301 is more than health.probationLongestSeconds, 300",
        ),
        (
            [*NEWEST, "--set=health.probationLongestSeconds=0"],
            "health.probationSeconds: 1 is more than health.probationLongestSeconds, 0",
        ),
        (
            [*NEWEST, "--set=health.probationQuietSeconds=299"],
            "health.probationQuietSeconds: 299 is less than health.probationLongestSeconds, 300",
        ),
        (
            [*NEWEST, "--set=health.probationLongestSeconds=3601"],
            "health.probationQuietSeconds: 3600 is less than health.probationLongestSeconds, 3601",
        ),
        ([*NEWEST, "--set=health.signs.no-answer=off"], "no-answer"),
        ([*NEWEST, "--set=plane=both"], "plane"),
        ([*NEWEST, "--set=palne=dra"], "palne"),
        ([*NEWEST, "--set=families={warboy,gpu}"], "families"),
        ([*NEWEST, "--set=image.digest=5"], "digest"),
        ([*NEWEST, "--set=labels={temperature}"], "labels"),
        ([*NEWEST, "--set=startupTaint=not-ready"], "startupTaint"),
        ([*NEWEST, "--set=health.probationSeconds=-1"], "probationSeconds"),
        ([*NEWEST, "--set=health.signs.temperature=hot"], "temperature"),
        *(
            ([*NEWEST, f"--set=resources.plugin.limits.memory={amount}"], "/resources/plugin/limits/memory")
            for amount in ("lots", "1Gb", "-1", "1.5.2")
        ),
        *(([*NEWEST, f"--set=priorityClassName={name}"], "/priorityClassName") for name in ("Foo Bar", "a..b")),
        *(([*NEWEST, f"--set=image.repository={name}"], "/image/repository") for name in ("r.io:5000/a:1.0", "a:1")),
        *(
            ([*NEWEST, f"--set=image.repository={name}"], f"'{name}' does not match pattern '^[^A-Z]*$'")
            for name in ("r.io/A", "Team/a")
        ),
        *(
            (
                [*NEWEST, f"--set=resources.{agent}.limits.{what}={limit}"],
                f"resources.{agent}.limits.{what}: {limit} is less than resources.{agent}.requests.{what}, {request}",
            )
            for agent, what, limit, request in (
                ("plugin", "memory", "16Mi", "32Mi"),
                ("plugin", "memory", "33554431", "32Mi"),
                ("draDriver", "memory", "32767Ki", "32Mi"),
                ("draDriver", "memory", "33M", "32Mi"),
                ("labeller", "memory", "1e6", "24Mi"),
                ("labeller", "cpu", "4m", "5m"),
                ("labeller", "cpu", ".0049", "5m"),
            )
        ),
        (
            [*NEWEST, "--set=resources.plugin.limits.memroy=64Mi"],
            "at '/resources/plugin/limits': additional properties 'memroy'",
        ),
        *(
            ([*NEWEST, f"--set-json=tolerations=[{json.dumps(toleration)}]"], f"at '/tolerations/0{said}")
            for toleration, said in (
                ({}, "': missing property 'key'"),
                ({"operator": "Equal", "value": "x"}, "': missing property 'key'"),
                ({"operator": "Equal", "key": ""}, "/key': minLength"),
                ({"operator": "Exists", "value": "x"}, "/value': value must be ''"),
                ({"operator": "Exists", "key": "a b"}, "/key': 'a b' does not match"),
                ({"key": "a", "value": "x y"}, "/value': 'x y' does not match"),
                ({"key": "a", "tolerationSeconds": 5}, "': missing property 'effect'"),
                ({"key": "a", "tolerationSeconds": 5, "effect": "NoSchedule"}, "/effect': value must be 'NoExecute'"),
            )
        ),
        *(
            (
                [*NEWEST, f"--set-json=monitoring.labels={{{key}:1}}"],
                f"at '/monitoring/labels': additional properties '{key[1:-1]}'",
            )
            for key in ('"a b"', '"a/b/c"', '"A.io/b"', '"-a"')
        ),
        *(
            (
                [*NEWEST, f"--set=extraArgs.{agent}={{--listen-address={address}}}"],
                f"extraArgs.{agent}: --listen-address=",
            )
            for agent, address in (("labeller", ""), ("plugin", ":7000"), ("draDriver", ""))
        ),
        *(
            (
                [*NEWEST, f"--set=disable={{A}},extraArgs.plugin={{{option}}}"],
                f"extraArgs.plugin: {option}: the value disable",
            )
            for option in ("--config=/a.yaml", "--disable=B")
        ),
        *(
            (
                [*NEWEST, f"--set=extraArgs.{agent}={{{option}}}"],
                f"extraArgs.{agent}: {option}: rights, mounts and hooks go by the value {value}: set that one",
            )
            for agent, option, value in (
                ("labeller", "--publish=features.d", "publish"),
                ("labeller", "--labels", "labels"),
                ("plugin", "--startup-taint=a.b/c", "startupTaint"),
                ("plugin", "--family=renegade", "families"),
                ("draDriver", "--retire=on", "dra.retire"),
            )
        ),
        *(([*NEWEST, f"--set=simulatedRoot={path}"], "at '/simulatedRoot': ") for path in ("/run/../x", "/..", "x")),
        (
            [*NEWEST, '--set-json=resources.plugin.requests={"a b/c":1}'],
            "at '/resources/plugin/requests': additional properties 'a b/c'",
        ),
        ([*NEWEST, "--set=disable=A"], "at '/disable': got string, want array"),
    ],
)
def test_a_value_that_will_not_do_is_named(options: list[str], said: str) -> None:
    """Before anything is sent to a cluster."""
    with pytest.raises(CommandFailed) as refused:
        template(*options)
    assert said in refused.value.errors


@pytest.mark.parametrize(
    ("amounts", "repository", "priority", "probation"),
    [
        ("memory=64Mi,cpu=0.5", "a", "system-cluster-critical", (300, 300)),
        ("memory=1G,cpu=.5", "r.io:5000/a", "a.b-c", (0, 0)),
        ("memory=67108864,cpu=10m", "localhost:5000/a/b_c--d", "x", (5, 10)),
        ("memory=1e9,cpu=1", "reg.example.com/a", "1a", (1, 300)),
        ("memory=32Mi,cpu=10m", "a", "a", (1, 300)),
        ("memory=0.03125Gi,cpu=10000000n", "a", "a", (1, 300)),
    ],
)
def test_a_value_that_will_do_is_taken(
    amounts: str, repository: str, priority: str, probation: tuple[int, int]
) -> None:
    """Quantities as Kubernetes writes them, references without a tag, and names as the API server takes them."""
    limits = ",".join(f"resources.plugin.limits.{amount}" for amount in amounts.split(","))
    health = "health.probationSeconds={},health.probationLongestSeconds={}".format(*probation)
    template(*NEWEST, f"--set={limits},image.repository={repository},priorityClassName={priority},{health}")


def test_the_chart_knows_the_agents_defaults_that_it_holds_values_against() -> None:
    """Its refusal is the agents' own."""
    defaults = {option.name: option.default for option in CARD_OPTIONS}
    assert [defaults[f"probation-{name}seconds"] for name in ("", "longest-", "quiet-")] == [1, 300, 3600]


def test_what_the_schema_refuses_is_said_as_in_the_document() -> None:
    """Helm's own words, then the value by its path and what would do."""
    with pytest.raises(CommandFailed) as refused:
        template(*NEWEST, "--set=plane=both")
    document = (REPOSITORY / "docs/helm.md").read_text()
    said = "values don't meet the specifications of the schema(s)"
    assert said in document
    assert said in refused.value.errors
    assert "at '/plane': value must be one of 'auto', 'device-plugin', 'dra'" in refused.value.errors


def _maps(values: dict[str, Any], above: str = "") -> Iterable[str]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield above + name
            yield from _maps(value, f"{above}{name}.")


@cache
def _default() -> str:
    return template(*NEWEST)


MAPS = tuple(_maps(yaml.safe_load((CHART / "values.yaml").read_text())))


@pytest.mark.parametrize("empty", [*MAPS, "dra.failedTaint", "disable"])
def test_a_value_without_anything_after_its_colon_is_as_by_default_or_is_named(empty: str) -> None:
    """Helm takes such a value away. None ends in a line of a template."""
    above, _, name = empty.rpartition(".")
    named = f"at '{'/' * bool(above)}{above.replace('.', '/')}': missing property '{name}'"
    try:
        said = template(*NEWEST, f"--set={empty}=null")
    except CommandFailed as refused:
        said = refused.errors
    assert named in said or said == _default()


def test_signs_without_anything_after_their_colon_are_as_by_default() -> None:
    """The values file does not have them, and Helm gives them on as they are."""
    assert template(*NEWEST, '--set-json=health={"signs":null}') == _default()
