"""What runs each command of docs/*.md, beside what the READMEs have (test_readme_commands.py)."""

from collections.abc import Mapping

PAGES = "tests/cluster/test_pages.py"
HELM = "tests/cluster/test_helm.py"

AS_IT_STANDS: Mapping[str, tuple[str, ...]] = {
    f"{PAGES}::test_what_a_page_has_for_trouble_shows_it": ("LOOKS", "VERSION"),
    f"{PAGES}::test_a_pod_that_was_refused_says_which_npu_and_why": ("REFUSED",),
    f"{PAGES}::test_the_api_server_takes_a_change_as_it_stands": ("CHANGES",),
    f"{PAGES}::test_the_api_server_takes_the_policies_as_they_stand": ("POLICIES",),
    f"{PAGES}::test_a_cluster_without_a_dra_driver_shows_nothing_of_one": ("NOTHING_OF_DRA",),
    "tests/cluster/test_emptied_node.py::test_a_node_is_emptied_and_cleared_of_the_vendors_agents": ("EMPTYING",),
    "tests/cluster/dra_plane/test_pages.py::test_what_a_page_has_for_the_dra_plane_shows_it": (
        "DRA_LOOKS",
        "ASK_AGAIN",
    ),
    "tests/cluster/test_dra_without_api.py::test_an_api_server_without_dra_is_named_once_and_the_driver_waits": (
        "NOT_PUBLISHED",
    ),
    "tests/cluster/test_see_holders.py::test_a_process_of_another_user_is_named_with_its_id_and_command": ("FUSER",),
    f"{HELM}::test_the_documents_commands_find_the_release": ("LIST_RELEASES", "MONITOR", "ROLLBACK"),
    f"{HELM}::test_dra_is_not_left_while_a_pod_has_its_card_by_it": ("RETIRE_DRA", "END_DRA", "TAKE_DRA"),
    f"{HELM}::test_an_uninstallation_is_refused_while_a_pod_holds_a_card": (
        "DESCRIBE_CHECK",
        "SWEEPS_LOG",
        "DELETE_SWEEP",
        "HISTORY",
    ),
    f"{HELM}::test_hooks_that_kubectl_applied_remove_nothing": ("DELETE_HOOKS",),
    f"{HELM}::test_a_list_of_cards_out_of_use_is_followed_without_a_restart": ("DELETE_TEST",),
    f"{HELM}::test_a_node_that_is_cut_off_is_named_and_all_else_is_swept": ("DELETE_AWAIT",),
}
"""Function to the constants of tests/cluster/pages.py whose commands it types."""

FROM_ITS_PAGE: Mapping[str, str] = {
    "docs/why-pending.md": "tests/cluster/test_reasons.py::test_the_four_commands_of_the_document_answer",
    "docs/image.md": "tests/cluster/test_podman.py::test_the_bill_of_materials_comes_out_of_a_container_that_never_ran",
    "docs/development.md": "tests/docs/test_development.py::answers",
}
"""Page to the function that reads its shell blocks."""

IN_OTHER_WORDS: Mapping[str, tuple[str, str]] = {
    "python -m tests.helm": (
        "tests/helm/test_rendering.py::test_the_plain_manifests_are_what_the_chart_renders",
        "in deployments()",
    ),
    "python -m tests.cluster up --product": ("tests/cluster/conftest.py::product", "Product(cluster_with_image)"),
    "python -m tests.fuzz.driver_files --seconds 60": (
        "tests/unit/test_hardware_malformed.py::test_a_search_along_the_parsers_branches_finds_nothing",
        '"-m", "tests.fuzz.driver_files", "--runs"',
    ),
    "python -m monitoring.dashboard": (
        "tests/docs/test_monitoring.py::test_the_dashboard_is_the_codes",
        "dashboard.text()",
    ),
    "pip install -e '.[dev]'": ("scripts/checks/environment.py", '"--editable", f"{checkout}[dev]"'),
    "pytest tests/unit tests/docs": ("scripts/checks/stages.py", 'tests="tests/unit"'),
    "ruff check . && ruff format --check . && mypy && lint-imports": ("scripts/checks/stages.py", '("lint-imports",)'),
    "buildah bud --build-arg TARGETARCH=arm64 -t furiosa-npu:0.2.1 .": (
        "tests/cluster/test_image.py::test_the_image_for_arm64_starts",
        'built("arm64")',
    ),
    "helm template --no-hooks ... | kubectl apply -f -": (
        "tests/helm/test_hooks.py::test_without_hooks_nothing_uninstalls",
        '"--no-hooks"',
    ),
    "kubectl create namespace": (
        f"{HELM}::test_it_works_in_a_namespace_of_its_own",
        '"create", "namespace"',
    ),
    "kubectl describe daemonset -n NAMESPACE furiosa-npu-labeller": (
        f"{HELM}::test_it_works_in_a_namespace_of_its_own",
        '"describe", "daemonset"',
    ),
    "kubectl label --overwrite namespace NAMESPACE pod-security.kubernetes.io/enforce=privileged": (
        f"{HELM}::test_it_works_in_a_namespace_of_its_own",
        'f"{LEVEL}=privileged"',
    ),
    "kubectl exec -n kube-system POD -- furiosa-npu-labeller cleanup --publish=features.d": (
        "tests/cluster/test_nfd.py::test_nfd_labels_the_node_from_our_file_and_from_our_object",
        '"--publish=features.d"',
    ),
    "kubectl exec -n kube-system POD -- furiosa-npu-labeller cleanup --publish=node-feature": (
        "tests/cluster/test_nfd.py::test_nfd_labels_the_node_from_our_file_and_from_our_object",
        '"--publish=node-feature"',
    ),
    "kubectl apply -k kubernetes/overlays/dra": (
        "tests/cluster/test_dra_as_shipped.py::test_the_overlay_goes_to_another_namespace",
        'f"--kustomize={folder}"',
    ),
    "kubectl describe pod": (
        "tests/cluster/test_reasons.py::test_a_failing_card_is_said_on_its_node_and_on_the_pod_that_holds_it",
        'described.events(cluster, "pod", "holder")',
    ),
    "furiosactl config set": (
        "tests/unit/test_furiosactl_config.py::test_set_gives_the_driver_its_number",
        'config("set", *words)',
    ),
    "fusermount3 -u -z MOUNTPOINT": (
        "tests/fuse/test_sysfs.py::test_a_killed_mount_frees_who_hangs",
        '["fusermount3", "-u", "-z", sysfs.place]',
    ),
}
"""Command to function (or file), and the words by which that does the same."""

_CHAOS = "python -m tests.cluster.chaos"
_MEASURES = "measures: its page has the figures, and when they were taken"
_LONGER = "as tests/cluster/test_chaos.py does it, and longer"
_IMPORTS = "python -m benchmarks.imports"
BY_HAND: Mapping[str, str] = {
    "scripts/bench": _MEASURES,
    "scripts/bench peers": _MEASURES,
    "scripts/bench scale": _MEASURES,
    f"{_IMPORTS} --onto '!ssl,furiosa_npu.device_plugin.app' argparse dataclasses "
    "google.protobuf.descriptor_pb2,google.protobuf.message_factory": _MEASURES,
    f"{_IMPORTS} --onto furiosa_npu.node_labeller.agent,furiosa_npu.node_labeller.sight,furiosa_npu.hardware.hotplug "
    "argparse logging dataclasses inotify_simple prometheus_client": _MEASURES,
    f"{_IMPORTS} furiosa_npu.device_plugin.app grpc http.client,ssl urllib3,ssl lightkube kubernetes": _MEASURES,
    f"{_CHAOS} --seed 7 --faults 1000": _LONGER,
    f"{_CHAOS} --seed 7 --faults 1000 --kubernetes-version 1.37.2": _LONGER,
    f"{_CHAOS} --seed 7 --faults 1000 --kubernetes-version 1.37.2 --plane dra": _LONGER,
    f"{_CHAOS} --kubernetes-version 1.37.2 --seed 901 --faults 60": _LONGER,
    f"{_CHAOS} --kubernetes-version 1.37.2 --plane dra --seed 902 --faults 120": _LONGER,
    f"{_CHAOS} --judge FILE": "for the history of such a run",
    "python -m tests.cluster.picture FILE.svg": "draws a picture that somebody looks at",
    "pip install '.[fuse]'": "the extra dev, which the tests have, holds the same package",
    "kubectl delete furiosaclusterconfigs --all": "the vendor's kind, which is on no cluster of the tests",
}
"""Command that no test runs, to the reason."""
