"""One pool of cards under several resource names: what is listed, what is refused and why, what is preferred."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.verdict import Verdict, in_words


class Unit(NamedTuple):
    """What can be handed out, a card or a part of one, under an identity that survives reboots."""

    id: str
    card_id: str
    """the card's; of a unit that is a card the same"""
    card: Reading
    """what its last reading tells of it; of a card that is gone, the last one that there was"""
    verdict: Verdict


class Offer(NamedTuple):
    """A line of the list that the kubelet gets."""

    id: str
    healthy: bool
    numa_node: int | None


Pool = Mapping[str, Unit]
"""Units by id."""


def offers(pool: Pool, ledger: Ledger, resource: str, *, held_bad_is_unhealthy: bool = False) -> tuple[Offer, ...]:
    """The list under `resource`, by id.

    A unit whose pod holds it under this name is listed though nothing of it is seen: after a restart of the agent, too.
    One that shows neither UUID nor PCI address has no id to be listed by.

    A unit held under this name stays healthy until its pod lets go, whatever becomes of it: allocatable is the number
    of healthy ones, and one less would take a good card from the next pod. Held under another name, it is unhealthy
    here. A unit that is gone and held by nobody is left out. `held_bad_is_unhealthy`: one that is held and no longer
    good is unhealthy at once, for those who read `allocatedResourcesStatus` in the pod and bear that price.
    """
    listed = [
        Offer(unit_id, not held_bad_is_unhealthy, None)
        for unit_id in ledger.held_under(resource)
        if unit_id not in pool
    ]
    for unit in pool.values():
        holders = ledger.holders(unit.id)
        if not holders and (unit.verdict.state == "gone" or unit.id == unit.card.name):
            continue
        healthy = resource in holders if holders else unit.verdict.state == "idle"
        if holders and held_bad_is_unhealthy and unit.verdict.state not in ("allocated", "idle"):
            healthy = False
        listed.append(Offer(unit.id, healthy, unit.card.numa_node))
    return tuple(sorted(listed))


def refusal(pool: Pool, ledger: Ledger, resource: str, unit_id: str) -> str | None:
    """Why `unit_id` is not handed out under `resource` now, or None. The unit's verdict is the last look's.

    Under one name the kubelet's own books rule: a unit held under `resource` is answered again.
    """
    unit = pool.get(unit_id)
    if unit is None and ledger.holders(unit_id):
        return f"{resource}: {unit_id} is held by a pod, and nothing of it is seen on this node"
    if unit is None:
        known = ", ".join(sorted(pool)) or "none"
        return f"{resource}: unknown device {unit_id}; known on this node: {known}"
    called = f"{resource}: {unit.card.name} ({unit_id})"
    others = [holder for holder in ledger.holders(unit_id) if holder != resource]
    if others:
        return f"{called} is in use under the name {', '.join(others)}"
    if unit.verdict.state not in ("idle", "allocated"):
        return f"{called} {in_words(unit.verdict.state)}: {unit.verdict.reason}"
    return None


def preferred(
    pool: Pool, ledger: Ledger, resource: str, available: Sequence[str], must_include: Sequence[str], size: int
) -> tuple[str, ...]:
    """`size` ids out of `available`: those that must be, then cards that will not be refused, on the fewest NUMA nodes.

    Degrades and never raises: an error here would fail the pod, where a poorer choice does not.
    """
    chosen = list(dict.fromkeys(must_include))[:size]
    rest = [unit_id for unit_id in dict.fromkeys(available) if unit_id not in chosen]
    good = [unit_id for unit_id in rest if refusal(pool, ledger, resource, unit_id) is None]
    bad = [unit_id for unit_id in rest if unit_id not in good]
    wanted = size - len(chosen)
    nodes = _numa_nodes(pool, good)
    anchored = {_numa(pool, unit_id) for unit_id in chosen if unit_id in pool} - {None}

    def rank(unit_id: str) -> tuple[bool, bool, bool, int, str, int]:
        node = _numa(pool, unit_id)
        count = nodes.get(node, 0)
        fits = count >= wanted
        # A node that holds all that is wanted, the fullest fit first, so that larger groups stay whole for larger pods.
        closeness = count if fits else -count
        card = pool[unit_id].card
        held = bool(ledger.holders(unit_id))
        return node not in anchored, held, not fits, closeness, str(node), card.index or 0

    good.sort(key=rank)
    return tuple(chosen + (good + bad)[: max(wanted, 0)])


def _numa(pool: Pool, unit_id: str) -> int | None:
    return pool[unit_id].card.numa_node


def _numa_nodes(pool: Pool, unit_ids: Sequence[str]) -> dict[int | None, int]:
    counted: dict[int | None, int] = {}
    for unit_id in unit_ids:
        counted[_numa(pool, unit_id)] = counted.get(_numa(pool, unit_id), 0) + 1
    return counted
