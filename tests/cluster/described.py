"""What `kubectl describe` prints, as rows."""

import re
from typing import NamedTuple

from tests.cluster.cluster import Cluster


class EventRow(NamedTuple):
    """A row below `Events:`, without its age."""

    type: str
    reason: str
    source: str
    message: str


class ConditionRow(NamedTuple):
    """A row below `Conditions:` of a node, without its times."""

    status: str
    reason: str
    message: str


def events(cluster: Cluster, kind: str, name: str) -> list[EventRow]:
    """`kubectl describe KIND NAME`: the events that it shows."""
    rows = _rows(cluster.kubectl("describe", kind, name), "Events", 5)
    return [EventRow(type_, reason, source, message) for type_, reason, _, source, message in rows]


def condition(cluster: Cluster, node: str, type_: str) -> ConditionRow | None:
    """`kubectl describe node NODE`: one of its conditions."""
    rows = _rows(cluster.kubectl("describe", "node", node), "Conditions", 6)
    return next((ConditionRow(status, *words) for name, status, _, _, *words in rows if name == type_), None)


def _rows(described: str, title: str, columns: int) -> list[list[str]]:
    """The indented lines below a title, without the two of the table's head."""
    _, _, rest = described.partition(f"\n{title}:\n")
    lines = []
    for line in rest.splitlines():
        if not line.startswith("  "):
            break
        lines.append(line.strip())
    return [re.split(" {2,}", line, maxsplit=columns - 1) for line in lines[2:]]
