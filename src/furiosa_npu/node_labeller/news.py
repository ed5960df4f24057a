"""What the log says of a look, in the light of the one before: only what is new. Pure."""

from typing import NamedTuple

from furiosa_npu.agent.log import Level
from furiosa_npu.node_labeller.labels import Sight, mixed_hwtypes


class Item(NamedTuple):
    """One log entry."""

    level: Level
    message: str
    fields: dict[str, str]


def news(before: Sight | None, sight: Sight, silicon_hwtype: str | None) -> list[Item]:
    """What went wrong, and what came right again."""
    old = before or Sight((), (), (), ())
    items = [
        Item("error", "a look at the NPUs failed, the labels stay", {"reason": failure})
        for failure in sight.failures
        if failure not in old.failures
    ]
    if old.failures and not sight.failures:
        items.append(Item("info", "looks at the NPUs succeed again", {}))
    items += [
        Item(
            "warning",
            "hardware type not known, its label stays",
            {"npu": card.name, "family": card.family, "reason": card.reason},
        )
        for card in sight.cards
        if not card.known and card not in old.cards
    ]
    items += [
        Item("warning", "an NPU of an unknown family, the labels stay", {"pci": address})
        for address in sight.unknown_devices
        if address not in old.unknown_devices
    ]
    items += [
        Item(
            "warning",
            "files not read, the labels that follow them stay",
            {"npu": card.name, "family": card.family, "files": ",".join(card.facts.unread)},
        )
        for card in sight.cards
        if card.facts is not None and card.facts.unread and card not in old.cards
    ]
    if sight.claims and not old.claims:
        items.append(
            Item(
                "warning",
                "no NPU is left, the labels stay while claims are prepared",
                {"claims": ",".join(sight.claims)},
            )
        )
    if sight.plane_failure is not None and sight.plane_failure != old.plane_failure:
        items.append(Item("warning", "not known who hands out, its label stays", {"reason": sight.plane_failure}))
    mixed = mixed_hwtypes(sight, silicon_hwtype)
    if mixed and mixed != mixed_hwtypes(old, silicon_hwtype):
        items.append(Item("warning", "NPUs of several hardware types: no hwtype label", {"types": ",".join(mixed)}))
    return items
