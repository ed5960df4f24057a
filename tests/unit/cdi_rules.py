"""What container runtimes take of CDI: the official JSON schema, and the rules of `pkg/cdi` that no schema says."""

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

SCHEMA = Path(__file__).parent / "cdi_schema"


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SCHEMA / name).read_text(encoding="utf-8"))
    return document


_REGISTRY = Registry().with_resource("defs.json", DRAFT7.create_resource(_read("defs.json")))
_VALIDATOR = Draft7Validator(_read("schema.json"), registry=_REGISTRY)

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?")
_KNOWN = {
    "": {"cdiVersion", "kind", "devices"},
    "device": {"name", "containerEdits"},
    "edits": {"env", "deviceNodes", "mounts"},
    "node": {"path", "hostPath", "permissions"},
    "mount": {"hostPath", "containerPath", "options"},
}
"""the fields of 0.5.0 that are used: a runtime refuses a file with a field that it does not know"""


def complaints(document: object) -> list[str]:
    """Why a runtime would refuse the file; none: it takes it."""
    found = [error.message for error in _VALIDATOR.iter_errors(document)]
    if found:
        return found
    assert isinstance(document, dict)
    return _unknown(document) + _by_the_library(document)


def _by_the_library(document: dict[str, Any]) -> list[str]:
    names = [device["name"] for device in document["devices"]]
    found = [f"the name {name}" for name in names if not _NAME.fullmatch(name)]
    found += ["no devices"] * (not names) + ["a name twice"] * (len(set(names)) < len(names))
    found += [f"nothing in {device['name']}" for device in document["devices"] if not device["containerEdits"]]
    nodes = [node for device in document["devices"] for node in device["containerEdits"].get("deviceNodes", [])]
    needs = ["0.3.0"]
    if any(not name[0].isalpha() for name in names) or any("hostPath" in node for node in nodes):
        needs.append("0.5.0")
    if "." in document["kind"].split("/")[1]:
        needs.append("0.6.0")
    if document["cdiVersion"] != max(needs):
        found.append(f"version {document['cdiVersion']}, lowest that is needed: {max(needs)}")
    return found


def _unknown(document: dict[str, Any]) -> list[str]:
    parts: list[tuple[str, dict[str, Any]]] = [("", document)]
    for device in document["devices"]:
        edits = device["containerEdits"]
        parts += [("device", device), ("edits", edits)]
        parts += [("node", node) for node in edits.get("deviceNodes", [])]
        parts += [("mount", mount) for mount in edits.get("mounts", [])]
    return [f"field {field} of {kind}" for kind, part in parts for field in part if field not in _KNOWN[kind]]
