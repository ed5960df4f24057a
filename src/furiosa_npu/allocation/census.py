"""From readings to the pool: every card identified and judged, none lost."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.identity import doubt, identify
from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.allocation.pe_form import PeForm, required_files
from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.hardware.presence import primary_family
from furiosa_npu.hardware.reading import Family, Reading
from furiosa_npu.health.judge import Circumstances, judge
from furiosa_npu.health.judge import Rules as HealthRules
from furiosa_npu.health.verdict import Verdict


class Rules(NamedTuple):
    """What is configured about handing out."""

    family: Family | None
    """None: the family that the node labeller would say"""
    disable: tuple[str, ...]
    """UUIDs, PCI addresses or names"""
    pe_form: PeForm
    health: HealthRules = HealthRules()


class Seen(NamedTuple):
    """What a pass over the host showed."""

    readings: Sequence[Reading]
    users: Mapping[str, tuple[str, ...]] = {}
    """processes that have a card open, by the reading's `key`"""


def census(
    pool: Pool, seen: Seen, ledger: Ledger, rules: Rules, now: float, remembered: Mapping[str, Verdict] | None = None
) -> Pool:
    """The pool after a pass over the driver tree at `now` (seconds).

    A card that is no more stays as `gone` while it is held, and until another card has its place. `remembered`: the
    verdicts of cards that are not in the pool yet, from before the agent's start.
    """
    present = identify(seen.readings, {unit_id: unit.card for unit_id, unit in pool.items()})
    family = rules.family or primary_family(tuple({reading.family for reading in present.values()}))
    lost = tuple(unit_id for unit_id in ledger.units if unit_id not in present)
    counted = {}
    for unit_id, reading in present.items():
        before = pool[unit_id].verdict if unit_id in pool else (remembered or {}).get(unit_id)
        circumstances = _circumstances(unit_id, reading, ledger, rules, family, seen.users, lost)
        counted[unit_id] = Unit(unit_id, reading, judge(before, reading, circumstances, rules.health, now))
    for unit_id, unit in pool.items():
        if unit_id not in present and (ledger.holders(unit_id) or not _superseded(unit, present)):
            circumstances = _circumstances(unit_id, unit.card, ledger, rules, family, {})
            counted[unit_id] = unit._replace(verdict=judge(unit.verdict, None, circumstances, rules.health, now))
    return counted


def judge_anew(pool: Pool, unit_ids: Sequence[str], seen: Seen, ledger: Ledger, rules: Rules, now: float) -> Pool:
    """The pool with the verdicts of these units as the ledger is now; those that it does not have are left out."""
    family = offered_family(pool, rules)
    judged = {}
    for unit_id in unit_ids:
        if unit_id in pool:
            unit = pool[unit_id]
            circumstances = _circumstances(unit_id, unit.card, ledger, rules, family, seen.users)
            reading = None if unit.verdict.state == "gone" else unit.card
            judged[unit_id] = unit._replace(verdict=judge(unit.verdict, reading, circumstances, rules.health, now))
    return {**pool, **judged}


def look_again(unit: Unit, reading: Reading, seen: Seen, rules: Rules, family: Family | None, now: float) -> Unit:
    """The unit as a reading made for it alone shows it, judged as if no pod held it: the last look before hand-over.

    Whether its device files are busy is not probed for it, and stays as it was at the last probe.
    """
    if reading.busy is None:
        reading = reading._replace(busy=unit.card.busy)
    found = identify((reading,), {unit.id: unit.card})
    if unit.id not in found:
        reason = f"another card ({', '.join(found)}) is in its place"
        return unit._replace(verdict=unit.verdict._replace(state="gone", sign="gone", reason=reason))
    circumstances = _circumstances(unit.id, reading, Ledger(), rules, family, seen.users)
    return Unit(unit.id, reading, judge(unit.verdict, reading, circumstances, rules.health, now))


def offered_family(pool: Pool, rules: Rules) -> Family | None:
    """The family that is handed out on this node."""
    present = {unit.card.family for unit in pool.values() if unit.verdict.state != "gone"}
    return rules.family or primary_family(tuple(present))


def _circumstances(
    unit_id: str,
    card: Reading,
    ledger: Ledger,
    rules: Rules,
    family: Family | None,
    users: Mapping[str, tuple[str, ...]],
    lost: tuple[str, ...] = (),
) -> Circumstances:
    """`lost`: units that pods hold and that no reading shows."""
    return Circumstances(
        held=bool(ledger.holders(unit_id)),
        disabled=_disabled(unit_id, card, rules, family),
        required_files=() if card.index is None else required_files(card.family, card.index, rules.pe_form),
        users=users.get(card.key, ()),
        doubt=doubt(unit_id, card, lost),
    )


def _disabled(unit_id: str, card: Reading, rules: Rules, family: Family | None) -> str | None:
    for name in (unit_id, card.pci_bdf, card.name):
        if name is not None and name.lower() in (disabled.lower() for disabled in rules.disable):
            return f"taken out by the setting disable ({name})"
    if card.family != family:
        return f"this node offers its cards of the family {family}, and this one is a {card.family} (--family)"
    return None


def _superseded(unit: Unit, present: Mapping[str, Reading]) -> bool:
    """Another id stands in the unit's place: a new card in the slot, or its own name from before its UUID was read."""
    last = unit.card
    return any(
        (reading.family == last.family and reading.index is not None and reading.index == last.index)
        or (reading.pci_bdf is not None and reading.pci_bdf == last.pci_bdf)
        for reading in present.values()
    )
