"""The labels that `--labels` adds, named as the vendor's later generations name theirs. Pure; imported where wanted.

They tell of the cards of the labelled family. What is not known is no label, and what cannot be read at the moment
leaves a label as it is. docs/labels.md has the table.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from furiosa_npu.allocation.partition import part_counts
from furiosa_npu.cluster.node import is_label_value
from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.presence import primary_family
from furiosa_npu.hardware.reading import Family
from furiosa_npu.node_labeller.labels import GROUPS, PLANE_LABEL, CardFacts, CardType, Labels, Sight

Life = Literal["hardware", "driver", "plane"]
"""with what a label goes: the last card, the driver (or all but one of its versions), or the agent that hands out"""

_PRODUCTS = " or ".join(f"`{traits.product}`" for traits in TRAITS.values())

_MIB = 1 << 20

_VERSION = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)(?:, ?(\S+))?", re.ASCII)


class Label(NamedTuple):
    """One label of the table."""

    name: str
    group: str
    """of GROUPS"""
    life: Life
    example: str
    meaning: str


def _versions(name: str, group: str, of: str) -> tuple[Label, ...]:
    where = f"furiosa.ai/{name}.version"
    return (
        Label(where, group, "driver", "1.9.2", f"version of {of}, where all cards have the same"),
        Label(f"{where}.major", group, "driver", "1", "its first part"),
        Label(f"{where}.minor", group, "driver", "9", "its second part"),
        Label(f"{where}.patch", group, "driver", "2", "its third part"),
        Label(f"{where}.metadata", group, "driver", "3def9c2", "the build, which stands behind the comma"),
    )


TABLE: tuple[Label, ...] = (
    Label("furiosa.ai/npu.count", "count", "hardware", "8", "NPUs, be they handed out or not, well or not"),
    Label("furiosa.ai/npu.family", "product", "hardware", "rngd", _PRODUCTS),
    Label("furiosa.ai/npu.product", "product", "hardware", "rngd", _PRODUCTS),
    Label("furiosa.ai/npu.memory", "memory", "hardware", "48640", "MiB an NPU; known of Renegade in silicon alone"),
    *_versions("driver", "driver", "the driver"),
    *_versions("firmware", "firmware", "the firmware"),
    Label("furiosa.ai/npu.numa.count", "numa", "hardware", "2", "NUMA nodes that have NPUs"),
    Label("furiosa.ai/npu.numa.largest", "numa", "hardware", "4", "the most NPUs that one NUMA node has"),
    Label("furiosa.ai/npu.numa.layout", "numa", "hardware", "node0-4.node1-4", "NUMA nodes, each with its NPUs"),
    Label("furiosa.ai/npu-1pe.count", "partitions", "hardware", "64", "parts of one PE, which DRA hands out"),
    Label("furiosa.ai/npu-2pe.count", "partitions", "hardware", "32", "parts of two PEs, which DRA hands out"),
    Label("furiosa.ai/npu-4pe.count", "partitions", "hardware", "16", "parts of four PEs, which DRA hands out"),
    Label(PLANE_LABEL, "plane", "plane", "device-plugin", "who hands out: `device-plugin` or `dra`"),
)


class MoreLabels:
    """The labels of some groups."""

    def __init__(self, groups: Sequence[str]) -> None:
        """`groups` of GROUPS; `all` for all of them."""
        chosen = GROUPS if "all" in groups else groups
        self._names = tuple(label.name for label in TABLE if label.group in chosen)

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    def wanted(self, sight: Sight) -> Labels:
        """As they should be; what is not known now is left out."""
        if sight.nothing:
            return dict.fromkeys(self._names)
        family = primary_family(sight.families)
        if family is None or sight.failures:
            return {}
        told = _told(sight, family)
        return {name: told[name] for name in self._names if name in told}


def _told(sight: Sight, family: Family) -> Labels:
    cards = [card for card in sight.cards if card.family == family]
    facts = [card.facts for card in cards if card.facts is not None]
    told: Labels = {
        "furiosa.ai/npu.count": str(len(cards)),
        "furiosa.ai/npu.family": TRAITS[family].product,
        "furiosa.ai/npu.product": TRAITS[family].product,
    }
    if sight.plane_failure is None:
        told[PLANE_LABEL] = sight.plane
    told |= _memory(family, cards)
    told |= _version_labels("driver", "version", [(one, one.driver_version) for one in facts])
    told |= _version_labels("firmware", "fw_version", [(one, one.firmware_version) for one in facts])
    told |= _numa(facts)
    parts = part_counts(family)
    told |= {
        f"furiosa.ai/npu-{kind}.count": str(parts[kind] * len(cards)) if kind in parts else None
        for kind in ("1pe", "2pe", "4pe")
    }
    return {name: value if value is None or is_label_value(value) else None for name, value in told.items()}


def _memory(family: Family, cards: Sequence[CardType]) -> Labels:
    name = "furiosa.ai/npu.memory"
    pe_memory_bytes = TRAITS[family].pe_memory_bytes
    if pe_memory_bytes is None:
        return {name: None}
    if not all(card.known for card in cards):
        return {}
    silicon = all(card.hwtype is None for card in cards)
    return {name: str(pe_memory_bytes * TRAITS[family].pe_count // _MIB) if silicon else None}


def _version_labels(name: str, file: str, told: Sequence[tuple[CardFacts, str | None]]) -> Labels:
    """Of cards whose driver is loaded. Those that do not agree have no version in common."""
    where = f"furiosa.ai/{name}.version"
    if any(file in card.unread for card, _ in told):
        return {}
    versions = {version for card, version in told if card.driver}
    version = versions.pop() if len(versions) == 1 else None
    match = _VERSION.fullmatch(version or "")
    major, minor, patch, metadata = match.groups() if match is not None else (None, None, None, None)
    return {
        where: version if match is None else f"{major}.{minor}.{patch}",
        f"{where}.major": major,
        f"{where}.minor": minor,
        f"{where}.patch": patch,
        f"{where}.metadata": metadata,
    }


def _numa(cards: Sequence[CardFacts]) -> Labels:
    """A card whose driver is not loaded does not say where it is."""
    if not cards or not all(card.driver and "numa_node" not in card.unread for card in cards):
        return {}
    nodes = Counter(card.numa_node for card in cards if card.numa_node is not None)
    known = nodes.total() == len(cards)
    layout = ".".join(f"node{node}-{nodes[node]}" for node in sorted(nodes))
    return {
        "furiosa.ai/npu.numa.count": str(len(nodes)) if known else None,
        "furiosa.ai/npu.numa.largest": str(max(nodes.values())) if known else None,
        "furiosa.ai/npu.numa.layout": layout if known else None,
    }
