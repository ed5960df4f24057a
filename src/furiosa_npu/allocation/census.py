"""From readings to the pool: every card identified, cut up and judged, none lost."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.identity import doubt, identify
from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.allocation.pe_form import PeForm, required_files
from furiosa_npu.allocation.places import Places, displaced
from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.allocation.slicing import WHOLE_CARDS, Slicing
from furiosa_npu.hardware.presence import primary_family
from furiosa_npu.hardware.reading import CardUser, Family, Reading
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
    users: Mapping[str, tuple[CardUser, ...]] = {}
    """processes that have a card open, by the reading's `key`"""


def census(
    pool: Pool,
    seen: Seen,
    ledger: Ledger,
    rules: Rules,
    now: float,
    remembered: Mapping[str, Verdict] | None = None,
    slicing: Slicing = WHOLE_CARDS,
    places: Places = {},  # noqa: B006  # never written to
) -> Pool:
    """The pool after a pass over the driver tree at `now` (seconds).

    A unit is held when one that shares PEs with it is. One that is no more stays as `gone` while it is held, and until
    another card has its place. `remembered`: the verdicts of units that are not in the pool yet, from before the
    agent's start. `places`: of the units that are held.
    """
    held = slicing.holds(ledger.units)
    known = {unit.card_id: unit.card for unit in pool.values()}
    present = identify(seen.readings, known, lambda card_id: held(slicing.whole(card_id)))
    family = rules.family or primary_family(tuple({reading.family for reading in present.values()}))
    parts = [(card_id, part) for card_id, card in present.items() for part in slicing.parts(card_id, card)]
    ids = frozenset(part.id for _, part in parts)
    lost = tuple(unit_id for unit_id in ledger.units if unit_id not in ids)
    counted: dict[str, Unit] = {}
    for card_id, part in parts:
        unit_id = part.id
        while unit_id in counted:
            unit_id += "'"  # another card goes by this id: none is lost, and what is no DNS label is not published
        before = pool[unit_id].verdict if unit_id in pool else (remembered or {}).get(unit_id)
        circumstances = _circumstances(unit_id, card_id, part.reading, held, rules, family, seen.users, lost, places)
        verdict = judge(before, part.reading, circumstances, rules.health, now)
        counted[unit_id] = Unit(unit_id, card_id, part.reading, verdict)
    for unit_id, unit in pool.items():
        if unit_id not in counted and (held(unit_id) or not _superseded(unit, present)):
            circumstances = _circumstances(unit_id, unit.card_id, unit.card, held, rules, family, {})
            counted[unit_id] = unit._replace(verdict=judge(unit.verdict, None, circumstances, rules.health, now))
    return counted


def judge_anew(
    pool: Pool,
    unit_ids: Sequence[str],
    seen: Seen,
    ledger: Ledger,
    rules: Rules,
    now: float,
    slicing: Slicing = WHOLE_CARDS,
    places: Places = {},  # noqa: B006
) -> Pool:
    """The pool with the verdicts of these units, and of those that share PEs with them, as the ledger is now; those
    that it does not have are left out.
    """
    family = offered_family(pool, rules)
    concerned = slicing.holds(unit_ids)
    held = slicing.holds(ledger.units)
    judged = {}
    for unit_id, unit in pool.items():
        if concerned(unit_id):
            circumstances = _circumstances(
                unit_id, unit.card_id, unit.card, held, rules, family, seen.users, (), places
            )
            reading = None if unit.verdict.state == "gone" else unit.card
            judged[unit_id] = unit._replace(verdict=judge(unit.verdict, reading, circumstances, rules.health, now))
    return {**pool, **judged}


def look_again(
    unit: Unit,
    reading: Reading,
    seen: Seen,
    rules: Rules,
    family: Family | None,
    now: float,
    slicing: Slicing = WHOLE_CARDS,
    places: Places = {},  # noqa: B006
) -> Unit:
    """The unit as a reading made for its card alone shows it, judged as if no pod held it: the last look before
    hand-over.

    Whether its device files are busy is not probed for it, and stays as it was at the last probe.
    """
    found = identify((reading,), {unit.card_id: unit.card}, unit.card_id.__eq__)
    parts = slicing.parts(unit.card_id, reading) if unit.card_id in found else ()
    own = next((part.reading for part in parts if part.id == unit.id), None)
    if own is None:
        reason = f"another card ({', '.join(found)}) is in its place"
        return unit._replace(verdict=unit.verdict._replace(state="gone", sign="gone", reason=reason))
    if own.busy is None:
        own = own._replace(busy=unit.card.busy)
    circumstances = _circumstances(unit.id, unit.card_id, own, _held_by_nobody, rules, family, seen.users, (), places)
    return unit._replace(card=own, verdict=judge(unit.verdict, own, circumstances, rules.health, now))


def offered_family(pool: Pool, rules: Rules) -> Family | None:
    """The family that is handed out on this node."""
    present = {unit.card.family for unit in pool.values() if unit.verdict.state != "gone"}
    return rules.family or primary_family(tuple(present))


def _circumstances(
    unit_id: str,
    card_id: str,
    card: Reading,
    held: Callable[[str], bool],
    rules: Rules,
    family: Family | None,
    users: Mapping[str, tuple[CardUser, ...]],
    lost: tuple[str, ...] = (),
    places: Places = {},  # noqa: B006
) -> Circumstances:
    """`lost`: units that pods hold and that no reading shows; `places`: of those that pods hold."""
    return Circumstances(
        held=held(unit_id),
        disabled=_disabled(card_id, card, rules, family),
        required_files=() if card.index is None else required_files(card.family, card.index, rules.pe_form, card.pes),
        users=tuple(user.who for user in users.get(card.key, ()) if _shares_pes(user.pes, card.pes)),
        doubt=doubt(card_id, card, lost) or displaced(unit_id, card_id, card, places),
    )


def _shares_pes(one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> bool:
    """None: all of the card."""
    return one is None or other is None or any(pe in other for pe in one)


def _held_by_nobody(_: str) -> bool:
    return False


def _disabled(card_id: str, card: Reading, rules: Rules, family: Family | None) -> str | None:
    for name in (card_id, card.pci_bdf, card.name):
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
