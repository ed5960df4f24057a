"""The plain manifests of kubernetes/deployments and of the overlay for DRA, rendered from the chart by Helm."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.commands import run
from tests.cluster.helm_program import helm_program

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "kubernetes/charts/furiosa-npu"
DEPLOYMENTS = REPOSITORY / "kubernetes/deployments"
OVERLAYS = REPOSITORY / "kubernetes/overlays"
MONITORING = REPOSITORY / "kubernetes/monitoring"
MADE_BY = "# Made from kubernetes/charts/furiosa-npu by `python -m tests.helm`: change it there.\n"
NEWEST = ("--kube-version=1.37.2", "--api-versions=resource.k8s.io/v1")
POLICIES = "--api-versions=admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy"
_PLANES = {
    "node-labeller": "device-plugin",
    "device-plugin": "device-plugin",
    "dra-driver": "dra",
    "device-classes": "dra",
    "admission-policies": "dra",
}
"""template to the plane for which it is rendered"""
_DRA_OVERLAY = ("node-labeller", "dra-driver", "device-classes")
"""kustomize reads no file outside the overlay's own folder"""


def template(*options: str, chart: Path = CHART) -> str:
    """What `helm template` prints. Raises CommandFailed."""
    return _helm("template", "furiosa-npu", str(chart), "--namespace=kube-system", *options)


def notes(*options: str) -> str:
    """What an installation ends with saying. Raises CommandFailed."""
    said = _helm("install", "furiosa-npu", str(CHART), "--namespace=kube-system", "--dry-run=client", *options)
    return said.rpartition("\nNOTES:\n")[2]


def _helm(*words: str) -> str:
    environment = {"HELM_CACHE_HOME": "/nonexistent", "HELM_CONFIG_HOME": "/nonexistent"}
    return run([str(helm_program()), *words], environment=environment)


def deployments() -> Iterator[tuple[Path, str]]:
    """Each file that is made from the chart, and what should stand in it; and what the chart has from elsewhere."""
    for name, plane in _PLANES.items():
        show = f"--show-only=templates/{name}.yaml"
        rendered = template(*NEWEST, POLICIES, f"--set=plane={plane}", show)
        yield DEPLOYMENTS / f"{name}.yaml", MADE_BY + plain(rendered)
        if name in _DRA_OVERLAY:
            yield OVERLAYS / f"dra/{name}.yaml", MADE_BY + plain(rendered)
    for name in ("alerts.yaml", "dashboard.json"):  # a chart reads no file outside its own folder
        yield CHART / "files" / name, (MONITORING / name).read_text(encoding="utf-8")


def plain(rendered: str) -> str:
    """Without what Helm writes around documents: the first separator, empty lines and the names of templates."""
    text = re.sub(r"^# Source: .*\n", "", rendered, flags=re.MULTILINE)
    text = re.sub(r"\n+---\n", "\n---\n", text)
    return text.removeprefix("---\n").rstrip("\n") + "\n"


def objects(text: str) -> list[dict[str, Any]]:
    """Those of a rendering, in order."""
    return [found for found in yaml.safe_load_all(text) if found is not None]


def by_name(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Objects but those of hooks; of lists whose order means nothing the parts by their names."""
    shipped = [one for one in objects(text) if "helm.sh/hook" not in one["metadata"].get("annotations", {})]
    for one in shipped:
        if one["kind"] == "DaemonSet":
            pod = one["spec"]["template"]["spec"]
            for parts in (pod["volumes"], *(pod["containers"][0][key] for key in ("volumeMounts", "env"))):
                parts.sort(key=lambda part: part["name"])
    return {(one["kind"], one["metadata"]["name"]): one for one in shipped}
