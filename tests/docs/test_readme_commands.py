"""Every command of the READMEs is run by a test, which stands beside it here."""

import ast

import pytest

from tests.docs.markdown import ENGLISH, KOREAN, REPOSITORY, commands

DEVELOPER = "tests/docs/test_readme_demo.py::test_the_developers_block_runs_as_it_stands"
DOCUMENT = "tests/cluster/test_document.py"
HELM = "tests/cluster/test_helm.py"
DRA = "tests/cluster/test_dra_as_shipped.py::test_the_readmes_manifests_are_ready_as_they_are"
PODMAN = "tests/cluster/test_podman.py::test_a_container_of_podman_gets_its_npu_and_no_other"
IMAGES = "tests/cluster/images.py::product"

RUN_BY = {
    "scripts/demo": "tests/docs/test_readme_demo.py::test_the_demo_ends_with_what_the_readme_shows",
    "scripts/test": ".ci/run",
    "scripts/site": "tests/docs/test_site.py::test_both_languages_are_built",
    "buildah bud -t furiosa-npu:0.2.1 .": IMAGES,
    "buildah push furiosa-npu:0.2.1 registry.example.com/furiosa-npu:0.2.1": (
        "tests/cluster/test_readme.py::test_the_image_goes_to_a_registry"
    ),
    "echo 'images: [{name: furiosa-npu, newName: registry.example.com/furiosa-npu}]' "
    ">> kubernetes/deployments/kustomization.yaml": "tests/cluster/test_readme.py::test_one_line_names_the_registry",
    "kubectl apply -k kubernetes/deployments": "tests/cluster/test_readme.py::test_one_line_names_the_registry",
    "buildah push furiosa-npu:0.2.1 docker-archive:furiosa-npu.tar:docker.io/library/furiosa-npu:0.2.1": IMAGES,
    "ctr -n k8s.io images import furiosa-npu.tar": "tests/cluster/product.py::load_image",
    "kubectl apply -f kubernetes/deployments/node-labeller.yaml": (
        "tests/cluster/test_as_shipped.py::test_unchanged_manifests_are_ready_without_an_npu_and_leave_dev_alone"
    ),
    "kubectl apply -f kubernetes/deployments/device-plugin.yaml": (
        "tests/cluster/test_as_shipped.py::test_unchanged_manifests_are_ready_without_an_npu_and_leave_dev_alone"
    ),
    "helm upgrade --install furiosa-npu kubernetes/charts/furiosa-npu --namespace kube-system": (
        f"{HELM}::test_a_pod_keeps_its_card_through_upgrade_and_rollback"
    ),
    "helm test furiosa-npu --namespace kube-system": f"{HELM}::test_a_version_that_is_installed_hands_out_cards",
    "helm uninstall furiosa-npu --namespace kube-system": f"{HELM}::test_an_uninstallation_leaves_nothing",
    "kubectl apply -f kubernetes/deployments/device-classes.yaml": DRA,
    "kubectl apply -f kubernetes/deployments/dra-driver.yaml": DRA,
    "kubectl get daemonset -n kube-system": f"{DOCUMENT}::test_get_daemonset_shows_the_documents_rows",
    "kubectl get nodes --show-labels": f"{DOCUMENT}::test_get_nodes_shows_the_labels",
    "kubectl apply -f kubernetes/deployments/npu-pod.yaml": f"{DOCUMENT}::test_the_documents_pod_sees_its_npu",
    "kubectl exec npu-pod -it -- /bin/bash": f"{DOCUMENT}::test_a_shell_on_a_terminal_sees_the_npu",
    "furiosa-npu-cdi generate --cdi-dir /etc/cdi": PODMAN,
    "podman run --rm --device furiosa.ai/npu=npu0 ubuntu:focal ls /dev": PODMAN,
    "python3 -m venv .venv": DEVELOPER,
    ". .venv/bin/activate": DEVELOPER,
    "pip install .": DEVELOPER,
    "furiosa-npu-simulator create /tmp/npus examples/scenarios/two-warboys.yaml": DEVELOPER,
    "export FURIOSA_DEVFS_ROOT=/tmp/npus/dev FURIOSA_SYSFS_ROOT=/tmp/npus/sys": DEVELOPER,
    "furiosactl list": DEVELOPER,
    "furiosa-npu-simulator fail /tmp/npus npu1": DEVELOPER,
    "furiosactl info --format yaml": DEVELOPER,
    "furiosa-npu-simulator recover /tmp/npus npu1": DEVELOPER,
    "furiosa-npu-demo": DEVELOPER,
}
"""Command to what runs it: `file::function`, or a file that names it."""


def test_every_command_is_run_by_a_test() -> None:
    """One that is new in the README, or gone from it, wants a line here."""
    assert sorted(set(commands(ENGLISH))) == sorted(RUN_BY)


def test_both_languages_say_the_same_commands() -> None:
    """In the same order."""
    assert commands(KOREAN) == commands(ENGLISH)


@pytest.mark.parametrize(("command", "place"), RUN_BY.items())
def test_what_runs_a_command_is_there(command: str, place: str) -> None:
    """The function stands in that file; a file without a function names the command."""
    name, _, function = place.partition("::")
    text = (REPOSITORY / name).read_text()
    if function:
        assert function in [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    else:
        assert command in text
