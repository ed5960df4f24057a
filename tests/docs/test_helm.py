"""docs/helm.md names the chart's values and what its hooks may do."""

import json
import re
from typing import Any

import yaml

from tests.docs.markdown import REPOSITORY, code, tables
from tests.helm.test_hooks import OF_ONE_FAMILY, RIGHTS

DOCUMENT = REPOSITORY / "docs/helm.md"
VALUES: dict[str, Any] = yaml.safe_load((REPOSITORY / "kubernetes/charts/furiosa-npu/values.yaml").read_text())
WHOLE = {"tolerations", "resources", "health"}
"""shown without what is in them"""


def _table(first_cell: str) -> list[list[str]]:
    return next(table[1:] for table in tables(DOCUMENT) if table[0][0] == first_cell)


def _leaves() -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in VALUES.items():
        if isinstance(value, dict) and name not in WHOLE - {"resources"}:
            found |= {f"{name}.{inner}": below for inner, below in value.items()}
        else:
            found[name] = value
    return found


def test_the_table_has_every_value_with_its_default() -> None:
    """In the order of values.yaml."""
    rows = _table("Value")
    assert [name for row in rows for name in code(row[0])] == list(_leaves())
    for names, default, _ in rows:
        for name in code(names):
            if name.partition(".")[0] not in WHOLE - {"health"}:
                value = _leaves()[name]
                assert code(default) == [value if isinstance(value, str) and value else json.dumps(value)], name


def test_the_hooks_rights_are_the_charts() -> None:
    """Whole, by account."""
    told = {}
    for account, _, *roles in _table("Account"):
        for kind, cell in zip(("ClusterRole", "Role"), roles, strict=True):
            rules = re.findall(r"((?:`\w+`(?:, )?)+) on `([\w/]+)`", cell)
            if rules:
                told[kind, code(account)[0]] = [(code(verbs), [resource]) for verbs, resource in rules]
    wanted = RIGHTS | OF_ONE_FAMILY
    assert told == {role: [(rule["verbs"], rule["resources"]) for rule in rules] for role, rules in wanted.items()}
