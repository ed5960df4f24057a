"""What must not be forgotten of a card when the agent ends: as a document, both ways. Pure.

Only within one boot of the machine: its clock, which the times are of, and a heartbeat's movement begin anew with it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from furiosa_npu.hardware.reading import FAMILIES, Reading
from furiosa_npu.health.history import NEW, Heartbeat, Standing
from furiosa_npu.health.verdict import State, Verdict

FORMAT = 1
_LARGEST_NUMBER = (1 << 64) - 1
"""as a driver may say it of a card that answers with ones"""

Entry = dict[str, Any]


class RecallError(ValueError):
    """The document is not one of ours; the message says what was found and expected."""


class Recalled(NamedTuple):
    """What an agent of this boot knew."""

    verdicts: Mapping[str, Verdict] = {}
    """by unit id"""
    cards: Mapping[str, Reading] = {}
    """by unit id, of units that are cards: family, number, PCI address and UUID, nothing else"""
    faults: tuple[str, ...] = ()
    """what could not be taken, and why"""


def to_document(
    boot_id: str,
    verdicts: Mapping[str, Verdict],
    cards: Mapping[str, Reading] = {},  # never written to
) -> dict[str, Any]:
    """For JSON. By unit id, those alone of which there is something to remember: it changes when that changes."""
    entries = {
        unit_id: entry
        for unit_id, verdict in sorted(verdicts.items())
        if (entry := _entry(verdict, cards.get(unit_id)))
    }
    return {"format": FORMAT, "boot_id": boot_id, "cards": entries}


def from_document(document: object, boot_id: str, now: float) -> Recalled:
    """What was known at `now` (seconds of the machine's clock) at the latest; nothing where the machine was started
    anew since. A card of which the document says nonsense is left out, the others are not. Raises RecallError.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RecallError(f"found {str(document)[:60]!r}, expected a document of format {FORMAT}")
    if document.get("boot_id") != boot_id:
        return Recalled()
    entries = document.get("cards")
    if not isinstance(entries, dict):
        raise RecallError(f"cards: found {str(entries)[:60]!r}, expected a mapping")
    verdicts, cards, faults = dict[str, Verdict](), dict[str, Reading](), list[str]()
    for unit_id, entry in entries.items():
        try:
            verdict, card = _verdict(unit_id, entry, now), _card(unit_id, entry)
        except RecallError as error:
            faults.append(str(error))
            continue
        verdicts[unit_id] = verdict
        if card is not None:
            cards[unit_id] = card
    return Recalled(verdicts, cards, tuple(faults))


def _entry(verdict: Verdict, card: Reading | None) -> Entry:
    entry: Entry = {}
    if card is not None:
        facts = {"family": card.family, "index": card.index, "pci_bdf": card.pci_bdf, "uuid": card.uuid}
        entry["card"] = {key: value for key, value in facts.items() if value is not None}
    history = verdict.history
    if history.heartbeat.moved:
        entry["heartbeat_moved"] = True
    if history.heartbeat.stands_still:  # its value would be another each second before
        entry |= {"heartbeat_seconds": history.heartbeat.seconds, "heartbeat_since": history.heartbeat.since}
    standing = history.standing
    if standing.bad_at is None:
        return entry
    entry["flaps"] = standing.flaps
    if standing.good_since is None:
        return entry | {
            "state": verdict.state,
            "sign": verdict.sign,
            "reason": verdict.reason,
            "since": verdict.since,
        }
    return entry | {"bad_at": standing.bad_at, "good_since": standing.good_since}


def _verdict(unit_id: str, entry: object, now: float) -> Verdict:
    if not isinstance(entry, dict):
        raise RecallError(f"cards.{unit_id}: found {str(entry)[:60]!r}, expected a mapping")
    flaps = _whole(unit_id, entry, "flaps", least=1, most=1_000_000) if "flaps" in entry else None
    state: State = "starting"
    sign = reason = ""
    since = 0.0
    if flaps is None:
        standing = Standing()
    elif "good_since" in entry:
        since = _time(unit_id, entry, "good_since", now)
        standing = Standing(True, flaps, _time(unit_id, entry, "bad_at", now), since)
        state = "probation"
    else:
        since = _time(unit_id, entry, "since", now)
        standing = Standing(True, flaps, since, None)
        state, sign, reason = _state(unit_id, entry), str(entry.get("sign", "")), str(entry.get("reason", ""))
    heartbeat = Heartbeat(None, since, entry.get("heartbeat_moved") is True)
    if "heartbeat_since" in entry:
        stands_at = _whole(unit_id, entry, "heartbeat_seconds", least=0, most=_LARGEST_NUMBER)
        stands_since = _time(unit_id, entry, "heartbeat_since", now)
        heartbeat = Heartbeat(stands_at, stands_since, heartbeat.moved, stands_still=heartbeat.moved)
    return Verdict(state, sign, reason, since, (), NEW._replace(heartbeat=heartbeat, standing=standing))


def _state(unit_id: str, entry: Entry) -> State:
    states: tuple[State, ...] = get_args(State)
    for state in states:
        if entry.get("state") == state:
            return state
    found = str(entry.get("state"))[:60]
    raise RecallError(f"cards.{unit_id}.state: found {found!r}, expected one of {', '.join(states)}")


def _card(unit_id: str, entry: Entry) -> Reading | None:
    facts = entry.get("card")
    if facts is None:
        return None
    family = next((one for one in FAMILIES if isinstance(facts, dict) and facts.get("family") == one), None)
    if family is None:
        raise RecallError(f"cards.{unit_id}.card: found {str(facts)[:60]!r}, expected a card of a family that is known")
    index = _whole(unit_id, facts, "index", least=0, most=_LARGEST_NUMBER) if "index" in facts else None
    return Reading(
        family, index, management=False, pci_bdf=_text(unit_id, facts, "pci_bdf"), uuid=_text(unit_id, facts, "uuid")
    )


def _text(unit_id: str, entry: Entry, key: str) -> str | None:
    found = entry.get(key)
    if not isinstance(found, str | None):
        raise RecallError(f"cards.{unit_id}.card.{key}: found {str(found)[:60]!r}, expected text")
    return found


def _time(unit_id: str, entry: Entry, key: str, now: float) -> float:
    found = entry.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= now:
        expected = f"seconds of this boot, {now:g} at most"
        raise RecallError(f"cards.{unit_id}.{key}: found {str(found)[:60]!r}, expected {expected}")
    return float(found)


def _whole(unit_id: str, entry: Entry, key: str, *, least: int, most: int) -> int:
    found = entry.get(key)
    if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
        raise RecallError(f"cards.{unit_id}.{key}: found {str(found)[:60]!r}, expected a whole number from {least}")
    return found
