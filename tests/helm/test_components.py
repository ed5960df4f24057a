"""kustomize's way and Helm's: what a component makes of the plain manifests, and the chart of the value beside it."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.cluster.commands import run
from tests.cluster.releases import KUBERNETES_1_37
from tests.helm.rendering import NEWEST, REPOSITORY, by_name, template

BASES = {"device-plugin": "deployments", "dra": "overlays/dra"}
"""plane to the folder below `kubernetes` that an overlay builds on"""
COMPONENTS = {
    "more-labels": "labels={all}",
    "nfd-features-d": "publish=features.d",
    "nfd-node-feature": "publish=node-feature",
    "startup-taint": "startupTaint=npu.furiosa.ai/not-ready",
    "see-holders": "seeHolders=true",
    "config": "disable={WARBOY-0}",
}
"""component to the value that is the same"""


def kustomize(folder: Path) -> str:
    """The manifests of an overlay as the newest kubectl prints them."""
    kubectl = KUBERNETES_1_37.components[0].folder() / "kubectl"
    return run([str(kubectl), "kustomize", str(folder)])


def kustomized(folder: Path, plane: str, *components: str, **settings: str) -> str:
    """The manifests of a plane with these components, by an overlay with these settings that is made in `folder`."""
    shutil.copytree(REPOSITORY / "kubernetes", folder / "kubernetes")
    (folder / "kubernetes/components/config/config.yaml").write_text('disable: ["WARBOY-0"]\n')
    (folder / "overlay").mkdir()
    overlay = {
        "resources": [f"../kubernetes/{BASES[plane]}"],
        "components": [f"../kubernetes/components/{name}" for name in components],
    }
    (folder / "overlay/kustomization.yaml").write_text(yaml.safe_dump(overlay | settings))
    return kustomize(folder / "overlay")


@pytest.mark.parametrize("plane", BASES)
def test_each_plane_is_what_the_chart_makes_of_it(plane: str) -> None:
    """As the folder lies in the repository, object by object."""
    rendered = template(*NEWEST, f"--set=plane={plane}")
    assert by_name(kustomize(REPOSITORY / "kubernetes" / BASES[plane])) == by_name(rendered)


@pytest.mark.parametrize(
    ("plane", "components"),
    [
        *(("device-plugin", (name,)) for name in COMPONENTS),
        *(("dra", (name,)) for name in ("more-labels", "startup-taint", "config")),
        ("device-plugin", ("more-labels", "nfd-features-d", "startup-taint", "see-holders", "config")),
    ],
)
def test_a_component_is_what_the_chart_makes_of_its_value(
    plane: str, components: tuple[str, ...], tmp_path: Path
) -> None:
    """Object by object; each alone, and together."""
    values = [f"--set={COMPONENTS[name]}" for name in components]
    rendered = by_name(template(*NEWEST, f"--set=plane={plane}", *values))
    assert rendered != by_name(template(*NEWEST, f"--set=plane={plane}"))
    assert by_name(kustomized(tmp_path, plane, *components)) == rendered


@pytest.mark.parametrize(
    ("plane", "components"), [*(("device-plugin", (name,)) for name in COMPONENTS), *((plane, ()) for plane in BASES)]
)
def test_a_component_follows_the_namespace_of_the_overlay(
    plane: str, components: tuple[str, ...], tmp_path: Path
) -> None:
    """What names kube-system too: objects, patches, and the accounts that rights are bound to. kustomize writes it on
    DeviceClasses as well, which the API server takes away again (tests/cluster/test_dra_as_shipped.py).
    """
    values = [f"--set={COMPONENTS[name]}" for name in components]
    rendered = template(*NEWEST, "--namespace=npu-agents", f"--set=plane={plane}", *values)
    made = by_name(kustomized(tmp_path, plane, *components, namespace="npu-agents"))
    for (kind, _), one in made.items():
        if kind == "DeviceClass":
            del one["metadata"]["namespace"]
    assert made == by_name(rendered)


def test_every_component_has_a_value() -> None:
    """No way of kustomize's that Helm has not."""
    assert {folder.name for folder in (REPOSITORY / "kubernetes/components").iterdir()} == set(COMPONENTS)
