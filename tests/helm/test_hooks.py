"""What the chart's hooks may do, and when they run."""

from typing import Any

from furiosa_npu.chart_hooks.traces import AGENTS
from furiosa_npu.node_labeller.settings import FEATURES_DIR
from tests.helm.rendering import NEWEST, objects, template

SET = "--set=plane=device-plugin"
ONE_FAMILY = "--set=families={renegade}"
LIST_CLAIMS = {"apiGroups": ["resource.k8s.io"], "resources": ["resourceclaims"], "verbs": ["list"]}
RIGHTS = {
    ("ClusterRole", "furiosa-npu-check"): [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}, LIST_CLAIMS],
    ("ClusterRole", "furiosa-npu-leave-dra"): [LIST_CLAIMS],
    ("ClusterRole", "furiosa-npu-sweep"): [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "patch"]},
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
        {"apiGroups": ["resource.k8s.io"], "resources": ["resourceslices"], "verbs": ["list", "delete"]},
    ],
    ("Role", "furiosa-npu-sweep"): [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {
            "apiGroups": ["apps"],
            "resources": ["daemonsets"],
            "resourceNames": ["furiosa-npu-sweep", *AGENTS],
            "verbs": ["get"],
        },
        {"apiGroups": ["nfd.k8s-sigs.io"], "resources": ["nodefeatures"], "verbs": ["list", "delete"]},
    ],
}
OF_ONE_FAMILY = {
    ("ClusterRole", "furiosa-npu-leave-family"): [
        LIST_CLAIMS,
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]},
    ],
}
"""where `families` is one alone"""
WITH_PODS = ("Job", "DaemonSet", "Pod")
UNPRIVILEGED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}

COMPONENT = "app.kubernetes.io/component"


def hooks_of(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if "helm.sh/hook" in one["metadata"].get("annotations", {})]


def when(one: dict[str, Any]) -> tuple[str, int]:
    annotations = one["metadata"]["annotations"]
    return annotations["helm.sh/hook"], int(annotations.get("helm.sh/hook-weight", "0"))


def test_hooks_run_in_this_order() -> None:
    """Accounts before the pods that have them; the nodes once the agents have ended; the wait for them last."""
    found = hooks_of(objects(template(*NEWEST, SET)))
    jobs = {one["metadata"]["name"]: when(one) for one in found if one["kind"] in WITH_PODS}
    assert jobs == {
        "furiosa-npu-check": ("pre-delete", 0),
        "furiosa-npu-leave-dra": ("pre-upgrade,pre-rollback", 0),
        "furiosa-npu-sweep-cluster": ("post-delete", 0),
        "furiosa-npu-sweep": ("post-delete", 1),
        "furiosa-npu-await-nodes": ("post-delete", 2),
        "furiosa-npu-test": ("test", 0),
    }
    others = [one for one in found if one["kind"] not in WITH_PODS]
    assert {when(one)[1] for one in others} == {-1}
    assert {one["kind"] for one in others} == {
        *("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    }


def test_without_hooks_nothing_uninstalls() -> None:
    """What kubectl may be given."""
    made = {(one["kind"], one["metadata"]["name"]) for one in objects(template(*NEWEST, "--no-hooks"))}
    works = {name for kind, name in made if kind in ("DaemonSet", "Job", "Pod")}
    assert works == {"furiosa-npu-labeller", "furiosa-npu-dra-driver"}


def test_hooks_have_a_label_of_their_own() -> None:
    """Who applied them with kubectl finds all of them by it, and no agent."""
    found = [*objects(template(*NEWEST, SET)), *objects(template(*NEWEST, ONE_FAMILY))]
    labelled = [one for one in found if one["metadata"].get("labels", {}).get(COMPONENT) == "chart-hook"]
    assert labelled == hooks_of(found)


def test_hooks_have_these_rights_and_no_other() -> None:
    """One account for each moment; it is there for that moment alone."""
    found = hooks_of([*objects(template(*NEWEST, SET)), *objects(template(*NEWEST, ONE_FAMILY))])
    roles = {(one["kind"], one["metadata"]["name"]): one["rules"] for one in found if "rules" in one}
    assert roles == RIGHTS | OF_ONE_FAMILY


def test_what_a_hook_leaves_the_next_run_of_it_takes_away() -> None:
    """Of hooks that may never run again nothing stays at all: Helm has shown why they refused."""
    found = hooks_of([*objects(template(*NEWEST, SET)), *objects(template(*NEWEST, ONE_FAMILY))])
    policies = {one["metadata"]["name"]: one["metadata"]["annotations"]["helm.sh/hook-delete-policy"] for one in found}
    once = {"furiosa-npu-leave-dra", "furiosa-npu-leave-family"}
    for name, policy in policies.items():
        assert policy == "before-hook-creation,hook-succeeded" + (",hook-failed" if name in once else ""), name


def test_the_hook_that_leaves_dra_is_there_where_its_driver_is_not() -> None:
    """Before a rollback Helm runs the hooks that the older revision had: it may be of a cluster that was older."""
    both, back = (
        {("pre-upgrade,pre-rollback", -1), ("pre-upgrade,pre-rollback", 0)},
        {("pre-rollback", n) for n in (-1, 0)},
    )
    for options, moments in (
        ([*NEWEST, SET], both),
        ([*NEWEST, SET, "--set=dra.retire=true"], set()),
        ([*NEWEST], set()),
        (["--kube-version=1.33.0", "--api-versions=resource.k8s.io/v1beta1"], back),
        (["--kube-version=1.20.2"], back),
    ):
        found = objects(template(*options))
        assert {when(one) for one in found if one["metadata"]["name"] == "furiosa-npu-leave-dra"} == moments, options


def test_a_dra_driver_of_one_family_does_not_leave_the_others_nodes_unasked() -> None:
    """Before an upgrade or rollback to it, one that retires too; the device plugin has no claims."""
    for options, is_there in (
        ([*NEWEST, ONE_FAMILY], True),
        ([*NEWEST, ONE_FAMILY, SET, "--set=dra.retire=true"], True),
        ([*NEWEST, ONE_FAMILY, SET], False),
        ([*NEWEST], False),
    ):
        found = [one for one in objects(template(*options)) if one["metadata"]["name"] == "furiosa-npu-leave-family"]
        assert {when(one) for one in found} == (
            {("pre-upgrade,pre-rollback", n) for n in (-1, 0)} if is_there else set()
        )
        jobs = [one["spec"]["template"]["spec"] for one in found if one["kind"] == "Job"]
        assert [job["containers"][0]["args"] for job in jobs] == [["check-claims", "--family=renegade"]] * is_there


def test_no_hook_has_a_capability_and_one_alone_is_root() -> None:
    """The one that removes root's files, which has no token."""
    root = {}
    for one in hooks_of(objects(template(*NEWEST, SET))):
        if one["kind"] not in WITH_PODS:
            continue
        pod = one["spec"] if one["kind"] == "Pod" else one["spec"]["template"]["spec"]
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            security = {key: value for key, value in container["securityContext"].items() if not key.startswith("run")}
            assert security == UNPRIVILEGED
            user = container["securityContext"].get("runAsUser", pod["securityContext"]["runAsUser"])
            if user == 0:
                root[container["name"]] = pod["automountServiceAccountToken"]
    assert root == {"sweep": False}


def test_what_values_let_the_agents_leave_the_hooks_sweep() -> None:
    """The startup taint by its key; the file for nfd-worker, whose folder is mounted where it is written alone."""

    def sweeps(*options: str) -> tuple[list[str], dict[str, str]]:
        found = {one["metadata"]["name"]: one for one in hooks_of(objects(template(*NEWEST, SET, *options)))}
        (job,) = found["furiosa-npu-sweep-cluster"]["spec"]["template"]["spec"]["containers"]
        pod = found["furiosa-npu-sweep"]["spec"]["template"]["spec"]
        volumes = {one["name"]: one["hostPath"]["path"] for one in pod["volumes"]}
        assert [one["name"] for one in pod["initContainers"][0]["volumeMounts"]] == [*volumes]
        return job["args"], volumes

    args, volumes = sweeps()
    assert args == ["sweep-cluster"]
    assert sweeps("--set=publish=features.d,startupTaint=example.com/new") == (
        ["sweep-cluster", "--startup-taint=example.com/new"],
        volumes | {"features-d": FEATURES_DIR},
    )


def test_a_hook_that_was_refused_is_not_run_again_and_each_ends_in_its_time() -> None:
    """The sweep alone: what it did not do it does the next time. Helm waits for five minutes."""
    jobs = [one for one in hooks_of(objects(template(*NEWEST, SET))) if one["kind"] == "Job"]
    assert {one["metadata"]["name"]: one["spec"]["backoffLimit"] for one in jobs} == {
        "furiosa-npu-check": 0,
        "furiosa-npu-leave-dra": 0,
        "furiosa-npu-sweep-cluster": 3,
        "furiosa-npu-await-nodes": 0,
    }
    assert {one["spec"]["activeDeadlineSeconds"] for one in jobs} == {240}
