"""Which labels the node should have, from what was seen and what it has. Pure.

The agents' DaemonSets select on the family label, so it must not flicker: it goes only when a look that missed nothing
found nothing of an NPU, and no claim on one: its pod cannot end without the DRA driver. What could not be read, or
belongs to a driver that is not loaded, leaves things as they are.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from furiosa_npu.hardware.presence import primary_family
from furiosa_npu.hardware.reading import FAMILIES, Family

FAMILY_LABEL = "alpha.furiosa.ai/npu.family"

HWTYPE_LABEL = "alpha.furiosa.ai/npu.hwtype"

LABELS = (FAMILY_LABEL, HWTYPE_LABEL)

PLANE_LABEL = "furiosa.ai/npu.plane"

GROUPS = ("count", "product", "memory", "driver", "firmware", "numa", "partitions", "plane")
"""of labels beside LABELS, by the words that `--labels` takes"""

Labels = dict[str, str | None]
"""by name, None where the node has or should have none; a name that is not in it stays as it is"""


class CardFacts(NamedTuple):
    """What one card says beside its type."""

    driver: bool
    """its driver is loaded"""
    driver_version: str | None
    firmware_version: str | None
    numa_node: int | None
    unread: tuple[str, ...]
    """`version`, `fw_version`, `numa_node`: what is absent since it could not be read"""


class CardType(NamedTuple):
    """What one card says of its hardware type."""

    name: str
    family: Family
    known: bool
    """False: its driver is not loaded, or its `platform_type` cannot be read or understood"""
    hwtype: str | None
    """`haps`, `u250`; None on silicon"""
    reason: str = ""
    """why it is not known"""
    facts: CardFacts | None = None
    """None: nobody asked for them"""


class Sight(NamedTuple):
    """One look at the node."""

    families: tuple[Family, ...]
    """of which something is there: a device file, a management folder or a PCI device"""
    unknown_devices: tuple[str, ...]
    """PCI addresses of NPUs whose family is not known"""
    failures: tuple[str, ...]
    """what could not be looked at; empty: the look missed nothing"""
    cards: tuple[CardType, ...]
    """of known families"""
    plane: str | None = None
    """whose agent hands out the cards, `device-plugin` or `dra`; None: nobody's, or nobody asked"""
    plane_failure: str | None = None
    """why that is not known"""
    claims: tuple[str, ...] = ()
    """UIDs of claims that are prepared yet; looked for where nothing of an NPU is there"""

    @property
    def nothing(self) -> bool:
        """Nothing of an NPU is there, no pod has a claim on one that was, and the look missed nothing."""
        return not (self.families or self.unknown_devices or self.failures or self.claims)


class More(Protocol):
    """Labels beside LABELS, as `--labels` wants them."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def wanted(self, sight: Sight) -> Labels:
        """As they should be; what is not known now is left out."""


def wanted_labels(sight: Sight, current: Mapping[str, str | None], silicon_hwtype: str | None) -> Labels:
    """Both labels as they should be, given those that the node has (`current`)."""
    family = _family(sight, current.get(FAMILY_LABEL))
    if family is None:
        return {FAMILY_LABEL: None, HWTYPE_LABEL: None}
    return {FAMILY_LABEL: family, HWTYPE_LABEL: _hwtype(sight, family, current.get(HWTYPE_LABEL), silicon_hwtype)}


def changes(wanted: Labels, current: Mapping[str, str | None]) -> Labels:
    """What to patch; empty: nothing."""
    return {name: value for name, value in wanted.items() if value != current.get(name)}


def mixed_hwtypes(sight: Sight, silicon_hwtype: str | None) -> tuple[str, ...]:
    """The hardware types of the labelled family where its cards do not agree, `silicon` among them; else empty."""
    family = primary_family(sight.families)
    values = {
        card.hwtype or silicon_hwtype or "silicon" for card in sight.cards if card.family == family and card.known
    }
    return tuple(sorted(values)) if len(values) > 1 else ()


def _family(sight: Sight, current: str | None) -> str | None:
    found = primary_family(sight.families)
    if found is None:
        return None if sight.nothing else current
    # A family of higher rank may be in what could not be looked at: then the node's label is believed.
    if sight.failures and current in FAMILIES and FAMILIES.index(current) < FAMILIES.index(found):
        return current
    return found


def _hwtype(sight: Sight, family: str, current: str | None, silicon_hwtype: str | None) -> str | None:
    """Of the labelled family's cards. Cards that do not agree have no type in common: no label, rather than one that is
    wrong for half of them. Any card that is not known keeps a label that is there.
    """
    cards = [card for card in sight.cards if card.family == family]
    values = {card.hwtype or silicon_hwtype for card in cards if card.known}
    all_known = bool(cards) and not sight.failures and all(card.known for card in cards)
    if not all_known and current is not None:
        return current
    return values.pop() if len(values) == 1 else None
