"""docs/resource-slices.md says what is published, and how states become taints."""

from typing import get_args

import yaml

from furiosa_npu.cluster.api import Answer
from furiosa_npu.cluster.resource_slices import AttributeValue, Version
from furiosa_npu.dra_driver.attributes import attributes
from furiosa_npu.dra_driver.device_classes import lacking
from furiosa_npu.dra_driver.devices import DRIVER
from furiosa_npu.dra_driver.publication_trouble import COUNTERS_OFF, NOT_PUBLISHED, TAINTS_OFF
from furiosa_npu.health.verdict import State
from tests.docs.markdown import REPOSITORY, code, tables
from tests.unit.readings import warboy

DOCUMENT = REPOSITORY / "docs/resource-slices.md"

KNOWN = warboy(0)._replace(hwtype="u250", firmware_version="1.6.0, c1bebfd", pci_root="pci0000:00")
"""a card of which everything is known"""


def _table(first: str) -> list[list[str]]:
    (found,) = (table[1:] for table in tables(DOCUMENT) if table[0][0] == first)
    return found


def _kind(value: AttributeValue) -> str:
    return "version" if isinstance(value, Version) else {str: "string", int: "int", bool: "bool"}[type(value)]


def test_the_attributes_and_their_types_are_the_codes() -> None:
    """All that a card can say."""
    told = {code(row[0])[0]: row[1] for row in _table("Attribute")}
    assert told == {name: _kind(value) for name, value in attributes(KNOWN).items()}


def test_each_state_has_its_row_and_its_taint_is_named_after_it() -> None:
    """A card that is allocated carries one for the device plugin's pods alone."""
    rows = {code(row[0])[0]: code(row[1]) for row in _table("State")}
    assert set(rows) == set(get_args(State))
    named = {state: taints for state, taints in rows.items() if state not in ("idle", "allocated")}
    assert named == {state: [f"{DRIVER}/{state}"] for state in named}
    assert (rows["idle"], rows["allocated"]) == ([], [f"{DRIVER}/occupied=device-plugin"])


def test_the_classes_and_events_that_the_text_names_are_there() -> None:
    """And no class is left out."""
    text = DOCUMENT.read_text(encoding="utf-8")
    classes = yaml.safe_load_all((REPOSITORY / "kubernetes/deployments/device-classes.yaml").read_text())
    names = [found["metadata"]["name"] for found in classes]
    nameless = [{"metadata": {"name": "npu.furiosa.ai"}, "spec": {}}]
    of_classes = [notice.event for notice in lacking(Answer(200, {"items": nameless}, None))]
    events = [NOT_PUBLISHED, COUNTERS_OFF.event, TAINTS_OFF.event, *of_classes]
    assert [name for name in (*names, *events) if f"`{name}`" not in text] == []
