"""From readings to the pool: every card identified, cut up and judged, none lost."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.gone import why_gone
from furiosa_npu.allocation.identity import doubt, identify, ids_without_uuid, is_same_place
from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.allocation.pe_form import PeForm
from furiosa_npu.allocation.places import Places, displaced
from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.allocation.slicing import WHOLE_CARDS, Slicing
from furiosa_npu.hardware.cards import without_doubles
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
    awaited: Mapping[str, float] = {}
    """by the same: where a driver was asked again and has not answered yet, when it answered last, in seconds"""

    def time_of(self, card: Reading, now: float) -> float:
        """As of when the card is judged: what it did since it answered last, nobody has seen."""
        return now if card.unanswered is not None else self.awaited.get(card.key, now)


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
    another card has its place or it is configured not to be handed out. `remembered`: the verdicts of units that are
    not in the pool yet, from before the agent's start. `places`: of the units that are held.
    """
    held = slicing.holds(ledger.units)
    known = {unit.card_id: unit.card for unit in pool.values()}
    present = identify(seen.readings, known, lambda card_id: held(slicing.whole(card_id)))
    family = rules.family or primary_family(tuple({reading.family for reading in present.values()}))
    missing = {card_id: _missing_files(card, rules, slicing) for card_id, card in present.items()}
    parts = [(card_id, part) for card_id, card in present.items() for part in slicing.parts(card_id, card)]
    ids = frozenset(part.id for _, part in parts)
    lost = tuple(unit_id for unit_id in ledger.units if unit_id not in ids)
    former_ids = _former_ids(present, known, slicing)
    counted: dict[str, Unit] = {}
    for card_id, part in parts:
        unit_id = part.id
        while unit_id in counted:
            unit_id += "'"  # another card goes by this id: none is lost, and what is no DNS label is not published
        last = pool.get(unit_id) or pool.get(former_ids.get(part.id, ""))
        before = (remembered or {}).get(unit_id) if last is None else last.verdict
        circumstances = _circumstances(
            unit_id, card_id, part.reading, held, rules, family, seen.users, missing[card_id], lost, places
        )
        verdict = judge(before, part.reading, circumstances, rules.health, seen.time_of(part.reading, now))
        counted[unit_id] = Unit(unit_id, card_id, part.reading, verdict)
    for unit_id, unit in pool.items():
        if unit_id in counted:
            continue
        if held(unit_id) or not (_superseded(unit, present) or _named(unit.card_id, unit.card, rules)):
            circumstances = _circumstances(unit_id, unit.card_id, unit.card, held, rules, family, {}, ())
            circumstances = circumstances._replace(gone=why_gone(unit.card_id, unit.card, present))
            counted[unit_id] = unit._replace(verdict=judge(unit.verdict, None, circumstances, rules.health, now))
    return counted


def _former_ids(present: Mapping[str, Reading], known: Mapping[str, Reading], slicing: Slicing) -> dict[str, str]:
    """By unit id, under which it went as long as its card showed no UUID."""
    return {
        part.id: former.id
        for card_id, card in present.items()
        if card.uuid is not None
        for other in ids_without_uuid(card)
        if other != card_id and other in known and is_same_place(known[other], card)
        for part, former in zip(slicing.parts(card_id, card), slicing.parts(other, card), strict=True)
    }


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
            whole = pool.get(slicing.whole(unit.card_id), unit).card
            circumstances = _circumstances(
                unit_id,
                unit.card_id,
                unit.card,
                held,
                rules,
                family,
                seen.users,
                _missing_files(whole, rules, slicing),
                (),
                places,
            )
            is_gone = unit.verdict.state == "gone"
            reading = None if is_gone else unit.card
            if is_gone:
                circumstances = circumstances._replace(gone=unit.verdict.reason)
            verdict = judge(unit.verdict, reading, circumstances, rules.health, seen.time_of(unit.card, now))
            judged[unit_id] = unit._replace(verdict=verdict)
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
    lost: tuple[str, ...] = (),
) -> Unit:
    """The unit as a reading made for its card alone shows it, judged as if no pod held it: the last look before
    hand-over.

    `seen`: what the last pass showed of the host, and who has this card open now. `lost`: units that pods hold and that
    no reading shows. Whether its device files are busy is not probed for it, and stays as it was at the last probe.
    """
    if unit.verdict.state == "gone" and not reading.management and not reading.device_files:
        return unit
    host = {**{one.key: one for one in seen.readings}, reading.key: reading}
    reading = next(one for one in without_doubles(tuple(host.values())) if one.key == reading.key)
    found = identify((reading,), {unit.card_id: unit.card}, unit.card_id.__eq__)
    parts = slicing.parts(unit.card_id, reading) if unit.card_id in found else ()
    own = next((part.reading for part in parts if part.id == unit.id), None)
    if own is None:
        reason = f"another card ({', '.join(found)}) is in its place"
        return unit._replace(verdict=unit.verdict._replace(state="gone", sign="gone", reason=reason))
    if own.busy is None:
        own = own._replace(busy=unit.card.busy)
    missing = _missing_files(reading, rules, slicing)
    circumstances = _circumstances(
        unit.id, unit.card_id, own, _held_by_nobody, rules, family, seen.users, missing, lost, places
    )
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
    missing: tuple[str, ...],
    lost: tuple[str, ...] = (),
    places: Places = {},  # noqa: B006
) -> Circumstances:
    """`missing`: device files of the card; `lost`: units that pods hold and that no reading shows; `places`: of those
    that pods hold.
    """
    return Circumstances(
        held=held(unit_id),
        disabled=_disabled(card_id, card, rules, family),
        missing_files=missing,
        users=tuple(user.who for user in users.get(card.key, ()) if _shares_pes(user.pes, card.pes)),
        doubt=doubt(card_id, card, lost) or displaced(unit_id, card_id, card, places),
    )


def _missing_files(card: Reading, rules: Rules, slicing: Slicing) -> tuple[str, ...]:
    """Names of the device files that the whole card should have and does not."""
    if card.index is None:
        return ()
    there = {file.name for file in card.device_files}
    return tuple(name for name in slicing.required(card.family, card.index, rules.pe_form) if name not in there)


def _shares_pes(one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> bool:
    """None: all of the card."""
    return one is None or other is None or any(pe in other for pe in one)


def _held_by_nobody(_: str) -> bool:
    return False


def _disabled(card_id: str, card: Reading, rules: Rules, family: Family | None) -> str | None:
    name = _named(card_id, card, rules)
    if name is not None:
        return f"taken out by the setting disable ({name})"
    if card.family != family:
        return f"this node offers its cards of the family {family}, and this one is a {card.family} (--family)"
    return None


def _named(card_id: str, card: Reading, rules: Rules) -> str | None:
    """By which of its names it is configured not to be handed out."""
    disabled = [name.lower() for name in rules.disable]
    return next((name for name in (card_id, card.pci_bdf, card.name) if name and name.lower() in disabled), None)


def _superseded(unit: Unit, present: Mapping[str, Reading]) -> bool:
    """Another id stands in the unit's place: a new card in the slot, or its own name from before its UUID was read."""
    return any(is_same_place(unit.card, reading) for reading in present.values())
