"""docs/security.md, and the rights of the DRA driver in docs/dra.md, say what the manifests grant, and nothing less."""

import re
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

from furiosa_npu.agent.settings import Program
from furiosa_npu.device_plugin.settings import PROGRAM as PLUGIN_PROGRAM
from furiosa_npu.dra_driver.settings import PROGRAM as DRA_PROGRAM
from furiosa_npu.node_labeller.settings import PROGRAM as LABELLER_PROGRAM
from furiosa_npu.watch.web import Web
from tests.cluster.privilege import DRA_DRIVER, DRA_RIGHTS, LABELLER, PLUGIN, RIGHTS, USERS, WRITABLE
from tests.docs.markdown import REPOSITORY, code, tables
from tests.unit.manifests import DEPLOYMENTS, objects

SECURITY, DRA = (REPOSITORY / "docs" / name for name in ("security.md", "dra.md"))
PROGRAMS = {PLUGIN: PLUGIN_PROGRAM, LABELLER: LABELLER_PROGRAM, DRA_DRIVER: DRA_PROGRAM}
MANIFESTS = {PLUGIN: "device-plugin.yaml", LABELLER: "node-labeller.yaml", DRA_DRIVER: "dra-driver.yaml"}
LABELLER_PAGES = {"/livez", "/readyz", "/metrics"}
OF_A_NODE = ("associated-node:patch", "resourceclaims/driver")
"""No verb of a request: what the API server asks beside `patch` on a claim's status."""


class Granted(NamedTuple):
    """What an agent has, by a document or by a manifest."""

    user: str
    mounts: dict[str, bool]
    """path on the host to whether it can be written"""
    rights: set[tuple[str, str]]
    """verb and resource"""


def _rows(agent: str) -> list[list[str]]:
    """Of the table of its rights and mounts."""
    document, number = {PLUGIN: (SECURITY, 0), LABELLER: (SECURITY, 1), DRA_DRIVER: (DRA, 0)}[agent]
    return [table[1:] for table in tables(document) if table[0] == ["What", "Why"]][number]


def _read(rows: list[list[str]], before: Granted) -> Granted:
    """`before`, and what these rows add to it or say of it anew."""
    user, mounts, rights = before.user, dict(before.mounts), set(before.rights)
    for what, *_ in rows:
        if of_user := re.match(r"user (\d+)", what):
            user = of_user[1]
        elif what.startswith("ClusterRole: "):
            for verbs, resource in re.findall(r"((?:`[\w:-]+`(?:, | and )?)+) on `([\w/]+)`", what):
                rights |= {(verb, resource) for verb in code(verbs)}
        elif of_host := re.match(r"`(/[^`]+)`.*, (writable|read-only)\b", what):
            mounts[of_host[1]] = of_host[2] == "writable"
        else:
            folder = what.strip("`")
            in_one = any(folder.startswith(f"{path}/") and writable for path, writable in mounts.items())
            assert in_one or what == "the container's own `/sys`", f"found {what!r}, which says nothing of rights"
    return Granted(user, mounts, rights)


def _documented(agent: str) -> Granted:
    nothing = Granted("", {}, set())
    return _read(_rows(agent), _documented(PLUGIN) if agent == DRA_DRIVER else nothing)


def _manifests(agent: str) -> list[Granted]:
    """One for each of its DaemonSets."""
    found = objects(DEPLOYMENTS / MANIFESTS[agent])
    (role,) = (one for one in found if one["kind"] == "ClusterRole")
    rights = {(verb, resource) for rule in role["rules"] for verb in rule["verbs"] for resource in rule["resources"]}
    return [_of_pod(one["spec"]["template"]["spec"], rights) for one in found if one["kind"] == "DaemonSet"]


def _of_pod(pod: dict[str, Any], rights: set[tuple[str, str]]) -> Granted:
    (container,) = pod["containers"]
    user = (pod["securityContext"] | container["securityContext"])["runAsUser"]
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"]}
    mounts = {paths[mount["name"]]: not mount.get("readOnly", False) for mount in container["volumeMounts"]}
    return Granted(str(user), mounts, rights)


@pytest.mark.parametrize("agent", PROGRAMS)
def test_the_tables_are_what_the_manifests_grant(agent: str) -> None:
    """User, mounts and whether they can be written, rights at the API server: whole, in each DaemonSet."""
    granted = _manifests(agent)
    assert granted == [_documented(agent)] * len(granted)


@pytest.mark.parametrize("agent", PROGRAMS)
def test_what_is_tried_from_inside_the_containers_is_what_the_tables_say(agent: str) -> None:
    """The tries on a cluster are held against the same user, folders and rights; /var/run is a link to /run."""
    documented = _documented(agent)
    writable = {path.replace("/var/run/", "/run/") for path, writable in documented.mounts.items() if writable}
    rights = DRA_RIGHTS | {OF_A_NODE} if agent == DRA_DRIVER else RIGHTS[agent]
    assert (documented.user, writable, documented.rights) == (USERS[agent], WRITABLE[agent], rights)


def test_the_price_of_seeing_holders_is_named_whole() -> None:
    """Each thing that the component adds, and nothing that it does not."""
    (rows,) = (table[1:] for table in tables(SECURITY) if table[0] == ["What", "Why", "What it opens"])
    told = [code(row[0])[0] for row in rows]
    for patch in objects(REPOSITORY / "kubernetes/components/see-holders/see-holders.yaml"):
        pod = patch["spec"]["template"]
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"].keys() == {"capabilities"}
        added = container["securityContext"]["capabilities"]["add"]
        assert pod["spec"].keys() == {"hostPID", "containers"}
        assert told == ["hostPID: true", *added, *pod["metadata"]["annotations"].values()]


def _port(program: Program) -> int:
    address = next(option.default for option in program.options if option.name == "listen-address")
    return int(str(address).rpartition(":")[2])


def test_what_listens_is_named_whole() -> None:
    """Each agent with the port of its options and its manifest, and the pages that it serves."""
    (rows,) = (table[1:] for table in tables(SECURITY) if table[0][0] == "Where")
    names = {"plugin": PLUGIN, "labeller": LABELLER, "DRA driver": DRA_DRIVER}
    told: dict[str, set[str]] = {agent: set() for agent in PROGRAMS}
    for where, pages, _ in rows:
        for name, port in re.findall(r"([\w ]+) \((\d+)\)", where):
            agent = names[name.strip()]
            assert int(port) == _port(PROGRAMS[agent])
            told[agent] |= set(code(pages))
    for agent, program in PROGRAMS.items():
        for one in objects(DEPLOYMENTS / MANIFESTS[agent]):
            if one["kind"] == "DaemonSet":
                (container,) = one["spec"]["template"]["spec"]["containers"]
                assert [port["containerPort"] for port in container["ports"]] == [_port(program)]
    nothing = cast(Any, SimpleNamespace())
    pages_of_a_watch = {*Web(nothing, nothing, 1.0, nothing, nothing, nothing, lambda: 0.0).routes}
    assert told == {PLUGIN: pages_of_a_watch, LABELLER: LABELLER_PAGES, DRA_DRIVER: pages_of_a_watch}
