"""Helm, built from its Go module (4 minutes on two cores) and kept in the cache."""

from pathlib import Path

from tests.cluster.releases import of_module

HELM = of_module("helm", "4.3.1", "helm.sh/helm/v4", {"helm": "cmd/helm"})


def helm_program() -> Path:
    return HELM.folder() / "helm"
