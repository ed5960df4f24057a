"""The Prometheus Operator's kinds, as its Go module defines them (monitoring.coreos.com_*.yaml)."""

import shutil
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

from tests.cluster.cache import cached
from tests.cluster.go_modules import Workshop

NUMBER = "0.85.0"
_MODULE = "github.com/prometheus-operator/prometheus-operator"
_KINDS = {"PodMonitor": "podmonitors", "PrometheusRule": "prometheusrules"}


def complaints(one: dict[str, Any]) -> list[str]:
    """What an API server would refuse of an object of these kinds, unknown fields too."""
    (version,) = [
        version
        for version in _definition(one["kind"])["spec"]["versions"]
        if one["apiVersion"] == f"monitoring.coreos.com/{version['name']}"
    ]
    validator = Draft7Validator(_closed(version["schema"]["openAPIV3Schema"]))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(one)]


def _definition(kind: str) -> dict[str, Any]:
    """The CustomResourceDefinition, from the cache or fetched."""
    files = [f"monitoring.coreos.com_{plural}.yaml" for plural in _KINDS.values()]

    def make(folder: Path) -> None:
        work = folder / "work"
        source = Workshop(work, _MODULE, NUMBER).source
        for file in files:
            shutil.copy(source / "example/prometheus-operator-crd" / file, folder / file)
        shutil.rmtree(work)

    folder = cached(f"prometheus-operator-{NUMBER}", {"number": NUMBER, "files": files, "recipe": 1}, make)
    found: dict[str, Any] = yaml.safe_load((folder / f"monitoring.coreos.com_{_KINDS[kind]}.yaml").read_text())
    return found


def _closed(schema: Any) -> Any:
    """As strict field validation reads it: objects whose fields are named take no others."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _closed(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        return {"additionalProperties": False} | inner
    return inner
