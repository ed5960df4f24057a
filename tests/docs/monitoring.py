"""The table of docs/monitoring.md from the alerting rules; `python -m tests.docs.monitoring` writes it anew."""

import re
from typing import Any

import yaml

from tests.docs.markdown import REPOSITORY

DOCUMENT = REPOSITORY / "docs/monitoring.md"
ALERTS = REPOSITORY / "kubernetes/monitoring/alerts.yaml"

_TABLE = re.compile(r"(\| Alert \|.*\n\|[-|]+\n)((?:\|.*\n)*)")


def rules() -> list[dict[str, Any]]:
    """In the order of the file."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def rendered(document: str) -> str:
    """The document with the rows of its table from the rules."""
    rows = "".join(f"| {' | '.join(_cells(rule))} |\n" for rule in rules())
    return _TABLE.sub(lambda found: found[1] + rows, document)


def _cells(rule: dict[str, Any]) -> tuple[str, ...]:
    says = re.sub(r"{{ \$labels\.(\w+) }}", r"`\1`", rule["annotations"]["summary"])
    return f"`{rule['alert']}`", rule["labels"]["severity"], rule.get("for", "at once"), says


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
